"""What clients of the control systems cost the frame path: CPU time of the data plane per frame.

One engine with all front ends repeats to three outputs, at half of what the bare loop reaches. Runs with
a client each of Tango, EPICS and HTTP that reads 200 values ten times a second alternate with runs in
which these clients are silent.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tests.soak import poll

from benchmarks import ceilings
from benchmarks.ceilings import Output
from benchmarks.lanes import BARE_LOOPS, lane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import child, compare, free_addresses
from benchmarks.repeater import DECIMATED
from benchmarks.report import Row
from repstream import Client

TARGET = 1.05
RUN_SECONDS = 2.0
SETTLE_SECONDS = 0.3
PATIENCE_SECONDS = 60.0
ROUNDS = {"tango": poll.tango_round, "epics": poll.epics_round, "http": poll.http_round}

POLLED = ("123 kB", "4.8 MB")


def with_clients(rounds: int) -> Iterator[Row]:
    for size in POLLED:
        ceiling = _ceiling(SIZES[size])
        load = Load(SIZES[size].shape, round(RUN_SECONDS * ceiling / 2))
        with ExitStack() as stack:
            beamline = stack.enter_context(_Beamline.running(load, ceiling / 2))
            clients = stack.enter_context(_Clients.ready(beamline.ports))

            def polled(beamline: _Beamline = beamline, clients: _Clients = clients) -> float:
                with clients.polling():
                    return beamline.cost()

            measured = compare(polled, {"no clients": beamline.cost}, rounds)
            beamline.check()
        yield Row(f"CPU time per frame, {size}, polled", TARGET, measured, unit="µs", most=True)


def _ceiling(load: Load) -> float:
    """Frames a second through the bare loop that is better at this size."""
    name = "loop with copying" if load.nbytes < 100_000 else "loop without copying"
    with lane(load, DECIMATED, BARE_LOOPS[name]) as run:
        return sorted(run() for _ in range(3))[1]


class _Beamline:
    """An engine with all front ends, its source and its consumers."""

    def __init__(
        self, ports: dict[str, int], load: Load, engine: Client, source: Connection, sink: Connection
    ) -> None:
        self.ports = ports
        self._load, self._engine = load, engine
        self._source, self._sink = source, sink
        self._process = int(engine.engine.process_id)

    def cost(self) -> float:
        """CPU time of the data plane per frame of one run, in µs."""
        before = cpu_seconds(self._process)
        self._sink.send(self._load.count)
        self._source.send(self._load.count)
        self._source.recv()
        self._sink.recv()
        return (cpu_seconds(self._process) - before) / self._load.count * 1e6

    def check(self) -> None:
        """RuntimeError where a frame was lost."""
        keys = ("source.missing", "source.malformed", "source.duplicates", "streams.s0.dropped")
        if lost := {key: value for key in keys if (value := self._engine.read(key))}:
            raise RuntimeError(f"frames were lost: {lost}")

    @classmethod
    @contextmanager
    def running(cls, load: Load, rate: float) -> Iterator[_Beamline]:
        address, *others = free_addresses(4)
        outputs = [Output(other, *kind) for other, kind in zip(others, DECIMATED, strict=True)]
        with ExitStack() as stack:
            source = stack.enter_context(child(ceilings.source, load, address, rate))
            sink = stack.enter_context(child(ceilings.sink, load, outputs))
            ports = stack.enter_context(_serving(address, outputs))
            engine = stack.enter_context(Client(f"tcp://127.0.0.1:{ports['engine']}", timeout=60))
            engine.engine.start().wait(30)
            yield cls(ports, load, engine, source, sink)


@contextmanager
def _serving(address: str, outputs: Sequence[Output]) -> Iterator[dict[str, int]]:
    names = ("engine", "tango", "epics", "http")
    ports = {name: int(free.rsplit(":", 1)[1]) for name, free in zip(names, free_addresses(4), strict=True)}
    streams = {
        f"s{number}": {
            "address": output.address,
            "mode": "PUSH" if number == 0 else "PUB",
            "policy": "send_every_nth",
            "every_nth": output.every,
        }
        for number, output in enumerate(outputs)
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "engine.json"
        file.write_text(json.dumps({"source": {"address": address}, "streams": streams}))
        listening = (
            *("--config", file, "--root", folder, "--engine-address", f"tcp://127.0.0.1:{ports['engine']}"),
            *("--tango-port", ports["tango"], "--epics-port", ports["epics"], "--http-port", ports["http"]),
        )
        command = [sys.executable, "-m", "repstream_cli", "serve", *map(str, listening)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield ports
        finally:
            process.terminate()
            process.wait(60)


class _Clients:
    """A client of each front end, that polls when it is told to."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    @classmethod
    @contextmanager
    def ready(cls, ports: dict[str, int]) -> Iterator[_Clients]:
        with ExitStack() as stack:
            for name in ROUNDS:
                _await(ports[name])
            yield cls([stack.enter_context(child(_client, name, ports[name])) for name in ROUNDS])

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Within the block all of them poll; RuntimeError where one got no answer in it."""
        for pipe in self._pipes:
            pipe.send("go")
        time.sleep(SETTLE_SECONDS)
        yield
        for pipe in self._pipes:
            pipe.send("stop")
        rounds = [pipe.recv() for pipe in self._pipes]
        if not all(rounds):
            raise RuntimeError(f"rounds of the clients {', '.join(ROUNDS)}: {rounds}")


def _client(name: str, port: int, control: Connection) -> None:
    one_round = ROUNDS[name](port)
    one_round()
    control.send("ready")
    while control.recv() == "go":
        rounds = 0
        while not control.poll(poll.PERIOD):
            one_round()
            rounds += 1
        control.recv()
        control.send(rounds)


def _await(port: int) -> None:
    """Return when a server listens there; TimeoutError if none does."""
    for _ in range(round(PATIENCE_SECONDS / SETTLE_SECONDS)):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(SETTLE_SECONDS)
    raise TimeoutError(f"no server listens on port {port}")


def cpu_seconds(process: int) -> float:
    """CPU time of a process and its threads."""
    schedstats = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in schedstats) / 1e9
