"""A simulated detector that the clients of a view start and stop: a process that sends to an engine's source.

As a program it takes a `Task` as JSON, says ``sending`` once it listens, then how many images it has
sent, and ends when its standard input does: so it never outlives who has started it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import msgspec
import zmq

from repstream.errors import ChildError, Refused
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.source import SourceConfig
from repstream.protocol import Engine
from repstream.sources.images import Images
from repstream.sources.simulation import Counts, Detector, Faults, disturbed, run, synthetic
from repstream_cli.simulate import encoder
from repstream_http.compat.simulator import Simulation

SHAPE, PIXEL_TYPE = (1200, 2016), "uint16"
"""What it sends where the source takes any."""

DEFAULT_HEADER = "gigafrost"
READY = "sending"
PERIOD = 0.2
"""Seconds between two reports of how many images were sent."""

PATIENCE = 10.0


class Task(msgspec.Struct, frozen=True):
    """What to send, and where to."""

    address: str
    mode: str
    connect: bool
    shape: tuple[int, int]
    pixel_type: str
    rate: float
    header: str


@dataclass(slots=True)
class _Process:
    process: subprocess.Popen[str]
    images: int = 0


class SimulatedDetector:
    """Fills `repstream_http.compat.simulator.Simulator` for one engine, at `rate` images a second."""

    def __init__(self, engine: Engine, rate: float) -> None:
        self._engine = engine
        self._rate = rate
        self._lock = threading.Lock()
        self._running: _Process | None = None

    def start(self, header: str = "") -> None:
        with self._lock:
            self._stop()
            command = [sys.executable, "-m", __name__, msgspec.json.encode(self._task(header)).decode()]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running = _Process(process)
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            if said != READY:
                self._stop()
                process.stdout.close()
                raise ChildError(f"the simulated detector did not start: {said or 'it ended without a word'}")
            threading.Thread(target=_read, args=(self._running,), name="simulator", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._stop()

    def state(self) -> Simulation:
        running = self._running
        if running is None:
            return Simulation(False, 0)
        return Simulation(running.process.poll() is None, running.images)

    def _stop(self) -> None:
        if self._running is None:
            return
        process = self._running.process
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _task(self, header: str) -> Task:
        values = self._engine.snapshot().values
        fields = {name: values[key_of(Group.SOURCE, 0, name)] for name in SourceConfig.model_fields}
        source = SourceConfig.model_validate(fields)
        if not source.address.startswith(("tcp://", "ipc://")):
            raise Refused("simulator", f"it sends over ZMQ, and the source is {source.address}")
        return Task(
            address=source.address,
            mode="push" if source.mode == "PULL" else "pub",
            connect=source.connection == "bind",
            shape=(source.image_height or SHAPE[0], source.image_width or SHAPE[1]),
            pixel_type=PIXEL_TYPE if source.image_type == "any" else source.image_type,
            rate=self._rate,
            header=header or DEFAULT_HEADER,
        )


def _read(running: _Process) -> None:
    assert running.process.stdout is not None
    with running.process.stdout as lines:
        for line in lines:
            if line.strip().isdecimal():
                running.images = int(line)


def _until_input_ends(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def main() -> None:
    """Send what the task says until standard input ends."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    images = Images(task.shape, task.pixel_type)
    counts, stop = Counts(), threading.Event()
    try:
        detector = Detector(task.address, task.mode, task.connect, images(0).nbytes)
    except zmq.ZMQError as error:
        print(f"{task.address}: {error.strerror}")
        return
    print(READY, flush=True)
    threading.Thread(target=_until_input_ends, args=(stop,), daemon=True).start()
    due = time.monotonic()

    def report() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + PERIOD
            print(counts.frames, flush=True)

    messages = synthetic(images, encoder(task.header), 0, 0)
    run(detector, disturbed(messages, Faults(), counts), counts, rate=task.rate, stop=stop, tick=report)
    print(counts.frames, flush=True)
    detector.close(wait=0)


if __name__ == "__main__":
    main()
