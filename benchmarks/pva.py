"""What a live picture costs the process that serves it over PV Access, with two clients that take all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Semaphore
from typing import Any

from p4p.client.thread import Context

from benchmarks import ceilings
from benchmarks.loads import Load
from benchmarks.pairs import child, compare, free_addresses
from benchmarks.report import Row
from repstream.parameters.configuration import Configuration
from repstream.parameters.first import PREVIEW, preview
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_epics.pva.server import PvaServer

ME = Requester("benchmark")
SHAPE, RATE, SECONDS = (2016, 2016), 10.0, 8
HALF_A_CORE = 0.5
PREFIX = "B:PVA:"
SEEN = 0.9
"""Share of the pictures that a client must have seen for a run to count."""


def two_clients(rounds: int) -> Iterator[Row]:
    """CPU time of the service with its PV Access server, as a share of one core."""
    load = Load(SHAPE, int(RATE * SECONDS))
    with ExitStack() as stack:
        address, shown = free_addresses(2)
        source = stack.enter_context(child(ceilings.source, load, address, RATE))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        service = Service(ServiceOptions(roots=(folder,), configuration=_configured(address, shown)))
        service.start()
        stack.callback(service.close)
        service.execute("engine.start", None, ME)
        server = stack.enter_context(PvaServer({"b": service}, PREFIX, 0))
        clients = [stack.enter_context(child(watch, server.port)) for _ in range(2)]

        def share() -> float:
            began, used = time.monotonic(), time.process_time()
            source.send(load.count)
            source.recv()
            found = (time.process_time() - used) / (time.monotonic() - began)
            for client in clients:
                client.send(None)
                if (seen := client.recv()) < SEEN * load.count:
                    raise RuntimeError(f"a client saw {seen} of {load.count} pictures")
            return found

        measured = compare(share, {"half a core": lambda: HALF_A_CORE}, rounds)
    yield Row("two clients, 2016² uint16 at 10 Hz over PV Access", 1.0, measured, unit="cores", most=True)


def watch(port: int, pipe: Connection) -> None:
    """A client: says how many pictures it has seen since it was asked last."""
    configuration = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    came = Semaphore(0)

    def take(_: Any) -> None:
        came.release()

    with (
        Context("pva", conf=configuration, useenv=False) as context,
        context.monitor(f"{PREFIX}Pictures1:Image", take),
    ):
        came.acquire()  # that there is no picture yet
        pipe.send("ready")
        while True:
            pipe.recv()
            seen = 0
            while came.acquire(timeout=0.2):
                seen += 1
            pipe.send(seen)


def _configured(address: str, shown: str) -> Configuration:
    settings = {"stream": PREVIEW, "rate": 2 * RATE, "largest_height": 2016, "largest_width": 2016}
    return Configuration.model_validate(
        {
            "source": {"address": address},
            "streams": {PREVIEW: {**preview(shown), "burst_rate": 2 * RATE}},
            "pictures": {"1": settings},
        }
    )
