"""What clients cost the frame path: CPU time of the data plane per frame.

One engine with all front ends repeats to three outputs, at half of what the bare loop reaches. Runs with
clients alternate with runs in which these clients are silent: one each of Tango, EPICS and HTTP that
reads 200 values ten times a second; one of the standard DAQ that asks 200 times a second for its status.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
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
STATUS_REQUESTS = 200
"""A second."""


def _status_round(port: int) -> Callable[[], object]:
    """Asks the standard DAQ's view for its status, over a new connection each time, as its client does."""

    def one_round() -> object:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request("GET", "/writer/status")
            answer = json.load(connection.getresponse())
        if answer["status"] != "ok":
            raise RuntimeError(answer["message"])
        return answer

    return one_round


CLIENTS: Mapping[str, tuple[Callable[[int], Callable[[], object]], float]] = {
    "tango": (poll.tango_round, poll.PERIOD),
    "epics": (poll.epics_round, poll.PERIOD),
    "http": (poll.http_round, poll.PERIOD),
    "std_daq": (_status_round, 1 / STATUS_REQUESTS),
}
"""What each does over and over, and the seconds from one beginning to the next."""

POLLED = ("123 kB", "4.8 MB")


def with_clients(rounds: int) -> Iterator[Row]:
    """A client of each control system."""
    yield from _rows(rounds, ("tango", "epics", "http"), "polled", "no clients")


def with_status_requests(rounds: int) -> Iterator[Row]:
    """A client of the standard DAQ."""
    yield from _rows(rounds, ("std_daq",), f"{STATUS_REQUESTS} status requests a second", "no requests")


def _rows(rounds: int, names: Sequence[str], what: str, silent: str) -> Iterator[Row]:
    for size in POLLED:
        ceiling = ceiling_of(SIZES[size])
        load = Load(SIZES[size].shape, round(RUN_SECONDS * ceiling / 2))
        with ExitStack() as stack:
            beamline = stack.enter_context(Beamline.running(load, ceiling / 2))
            clients = stack.enter_context(_Clients.ready(beamline.ports, names))

            def polled(beamline: Beamline = beamline, clients: _Clients = clients) -> float:
                with clients.polling():
                    return beamline.cost()

            measured = compare(polled, {silent: beamline.cost}, rounds)
            beamline.check()
        yield Row(f"CPU time per frame, {size}, {what}", TARGET, measured, unit="µs", most=True)


def ceiling_of(load: Load) -> float:
    """Frames a second through the bare loop that is better at this size."""
    name = "loop with copying" if load.nbytes < 100_000 else "loop without copying"
    with lane(load, DECIMATED, BARE_LOOPS[name]) as run:
        return sorted(run() for _ in range(3))[1]


class Beamline:
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
    def running(
        cls, load: Load, rate: float, shown: Mapping[str, object] | None = None
    ) -> Iterator[Beamline]:
        """`shown` is more of the configuration, and has PV Access served."""
        address, *others = free_addresses(4)
        outputs = [Output(other, *kind) for other, kind in zip(others, DECIMATED, strict=True)]
        with ExitStack() as stack:
            source = stack.enter_context(child(ceilings.source, load, address, rate))
            sink = stack.enter_context(child(ceilings.sink, load, outputs))
            ports = stack.enter_context(_serving(address, outputs, shown))
            engine = stack.enter_context(Client(f"tcp://127.0.0.1:{ports['engine']}", timeout=60))
            engine.engine.start().wait(30)
            yield cls(ports, load, engine, source, sink)


@contextmanager
def _serving(
    address: str, outputs: Sequence[Output], shown: Mapping[str, object] | None = None
) -> Iterator[dict[str, int]]:
    names = ("engine", "pva", *CLIENTS)
    free = free_addresses(len(names))
    ports = {name: int(address.rsplit(":", 1)[1]) for name, address in zip(names, free, strict=True)}
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
        configuration: dict[str, object] = {"source": {"address": address}, "streams": streams}
        for section, more in (shown or {}).items():
            configuration[section] = {**configuration.get(section, {}), **more}  # type: ignore[dict-item]
        file.write_text(json.dumps(configuration))
        listening = (
            *("--config", file, "--root", folder, "--engine-address", f"tcp://127.0.0.1:{ports['engine']}"),
            *("--tango-port", ports["tango"], "--epics-port", ports["epics"], "--http-port", ports["http"]),
            *("--view", f"std_daq={ports['std_daq']}"),
            *(("--pva", "--pva-port", ports["pva"]) if shown else ("--no-pva",)),
        )
        command = [sys.executable, "-m", "repstream_cli", "serve", *map(str, listening)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield ports
        finally:
            process.terminate()
            process.wait(60)


class _Clients:
    """Clients by name, which poll when they are asked to."""

    def __init__(self, pipes: Mapping[str, Connection]) -> None:
        self._pipes = pipes

    @classmethod
    @contextmanager
    def ready(cls, ports: dict[str, int], names: Sequence[str]) -> Iterator[_Clients]:
        with ExitStack() as stack:
            for name in names:
                await_port(ports[name])
            yield cls({name: stack.enter_context(child(_client, name, ports[name])) for name in names})

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Within the block all of them poll; RuntimeError where one fell behind its pace by half."""
        for pipe in self._pipes.values():
            pipe.send("go")
        begin = time.monotonic()
        time.sleep(SETTLE_SECONDS)
        yield
        for pipe in self._pipes.values():
            pipe.send("stop")
        lasted = time.monotonic() - begin
        for name, pipe in self._pipes.items():
            rounds, wanted = pipe.recv(), lasted / CLIENTS[name][1]
            if rounds < wanted / 2:
                raise RuntimeError(f"{name} came to {rounds} rounds of {wanted:.0f}")


def _client(name: str, port: int, control: Connection) -> None:
    make, period = CLIENTS[name]
    one_round = make(port)
    one_round()
    control.send("ready")
    while control.recv() == "go":
        rounds, due = 0, time.monotonic()
        while not control.poll(max(0.0, due - time.monotonic())):
            one_round()
            rounds, due = rounds + 1, max(due + period, time.monotonic())
        control.recv()
        control.send(rounds)


def await_port(port: int) -> None:
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
