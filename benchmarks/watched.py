"""What EPICS clients that watch everything cost the frame path: CPU time of the data plane per frame.

An engine with all front ends, as in `polled`, and with a picture. Runs with clients alternate with runs
without: ``camonitor`` of every PV, and two clients that take every picture over PV Access.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Semaphore
from typing import Any

from p4p.client.thread import Context
from tests.ioc.clients import environment, running_tool

from benchmarks.loads import SIZES, Load
from benchmarks.pairs import child, compare, free_addresses
from benchmarks.polled import POLLED, RUN_SECONDS, TARGET, Beamline, ceiling_of
from benchmarks.report import Row
from repstream.parameters.first import PREVIEW, preview

PREFIX = "X:REPSTREAM:"
PICTURE = f"{PREFIX}Pictures1:Image"
PICTURE_CLIENTS = 2
PATIENCE_SECONDS = 60.0


def with_monitors(rounds: int) -> Iterator[Row]:
    """Clients that watch, against none."""
    for size in POLLED:
        ceiling = ceiling_of(SIZES[size])
        load = Load(SIZES[size].shape, round(RUN_SECONDS * ceiling / 2))
        with ExitStack() as stack:
            beamline = stack.enter_context(Beamline.running(load, ceiling / 2, _shown()))
            pvs = _pvs(beamline.ports["engine"])

            def watched(beamline: Beamline = beamline, pvs: list[str] = pvs) -> float:
                with _watching(beamline.ports, pvs):
                    return beamline.cost()

            measured = compare(watched, {"no clients": beamline.cost}, rounds)
            beamline.check()
        yield Row(f"CPU time per frame, {size}, watched over EPICS", TARGET, measured, unit="µs", most=True)


def _shown() -> Mapping[str, object]:
    """A picture, counted while somebody looks at it only, so that no client costs nothing."""
    (address,) = free_addresses(1)
    return {
        "streams": {PREVIEW: preview(address)},
        "pictures": {"1": {"stream": PREVIEW, "enable": False}},
    }


def _pvs(port: int) -> list[str]:
    """The names of all PVs that this engine has."""
    command = [sys.executable, "-m", "repstream_cli", "pvs", f"b=tcp://127.0.0.1:{port}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@contextmanager
def _watching(ports: Mapping[str, int], pvs: list[str]) -> Iterator[None]:
    """Within the block all clients are connected; RuntimeError where one has seen nothing in it."""
    with ExitStack() as stack:
        file = Path(stack.enter_context(TemporaryDirectory())) / "camonitor.txt"
        monitor = stack.enter_context(file.open("w"))
        arguments = ("-w", str(PATIENCE_SECONDS), "-t", "n", *pvs)
        stack.enter_context(
            running_tool(environment(ports["epics"]), "camonitor", *arguments, stdout=monitor)
        )
        clients = [stack.enter_context(child(_look, ports["pva"])) for _ in range(PICTURE_CLIENTS)]
        _await_lines(file, len(pvs))
        before = file.stat().st_size
        yield
        for client in clients:
            client.send(None)
            if not client.recv():
                raise RuntimeError("a client saw no picture")
        if file.stat().st_size == before:
            raise RuntimeError("camonitor saw no update")


def _look(port: int, pipe: Connection) -> None:
    """A client of pictures: says, when it is asked, how many it has seen."""
    configuration = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    first, seen = Semaphore(0), [0]

    def take(value: Any) -> None:
        seen[0] += bool(value.size)
        first.release()

    with (
        Context("pva", conf=configuration, useenv=False) as context,
        context.monitor(PICTURE, take),
    ):
        first.acquire(timeout=PATIENCE_SECONDS)
        pipe.send("ready")
        pipe.recv()
        pipe.send(seen[0])


def _await_lines(file: Path, lines: int) -> None:
    """Return when a file has so many lines; TimeoutError if it does not get them."""
    end = time.monotonic() + PATIENCE_SECONDS
    while file.read_text(errors="replace").count("\n") < lines:
        if time.monotonic() > end:
            raise TimeoutError("camonitor has not connected to all PVs")
        time.sleep(0.2)
