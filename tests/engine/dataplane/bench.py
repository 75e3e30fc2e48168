"""A data plane under test: the router in a thread of this process, asked through a real pipe."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import zmq

from repstream.accounting import InputLedger
from repstream.dataplane import control
from repstream.dataplane.line import Line
from repstream.dataplane.router import Router
from repstream.dataplane.writing.writer import Tell, WriterOutput
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig

PATIENCE = 30.0
"""Seconds until a test that waits in vain fails; no result depends on it."""

N = TypeVar("N")
Parts = list[bytes]


class Plane:
    """The service's end of the pipe: asks, and keeps every notice that came."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.notices: list[Any] = []
        self._numbers = itertools.count(1)

    def ask(self, kind: type[Any], **fields: Any) -> str:
        """Send a request, wait for its answer; the reason, empty if it was done."""
        number = next(self._numbers)
        control.requests.send(self.pipe, kind(request=number, **fields))
        return self.next(control.Answer, lambda answer: answer.request == number).reason

    def next(self, kind: type[N], wanted: Callable[[N], bool] = lambda _: True) -> N:
        """The next notice of a kind that is wanted; others are kept in `notices`."""
        end = time.monotonic() + PATIENCE
        while self.pipe.poll(max(0.0, end - time.monotonic())):
            notice: Any = control.notices.receive(self.pipe)
            self.notices.append(notice)
            if isinstance(notice, kind) and wanted(notice):
                return notice
        last = [n for n in self.notices if isinstance(n, control.Report)][-1:]
        raise AssertionError(f"no such {kind.__name__} came; the last report: {last}")

    def report(self, wanted: Callable[[control.Report], bool] = lambda _: True) -> control.Report:
        """A report that is wanted, of those made from now on."""
        now = time.monotonic()
        return self.next(control.Report, lambda report: report.clock >= now and wanted(report))

    def open(self, configuration: Configuration) -> str:
        return self.ask(control.Open, configuration=configuration.model_dump_json())

    def close(self, patience: float = 5.0) -> control.Closed:
        assert self.ask(control.Close, patience=patience) == ""
        return self.next(control.Closed)

    def stream(self, slot: int, wanted: Callable[[control.StreamReport], bool]) -> control.StreamReport:
        return self.report(lambda report: wanted(report.streams[slot])).streams[slot]

    def writer(self, slot: int, wanted: Callable[[control.WriterReport], bool]) -> control.WriterReport:
        return self.report(lambda report: wanted(report.writers[slot])).writers[slot]

    def acquisition(self, state: str) -> control.AcquisitionNotice:
        return self.next(control.AcquisitionNotice, lambda notice: notice.state == state)

    def of(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]


@contextmanager
def routing() -> Iterator[Plane]:
    """A router in a thread; at the end the pipe is hung up, which must end it."""
    ours, theirs = Pipe()
    thread = threading.Thread(target=Router(Line(theirs)).run, daemon=True)
    thread.start()
    with ours:
        plane = Plane(ours)
        yield plane
        plane.ask(control.Close, patience=0.0)
    thread.join(PATIENCE)
    theirs.close()
    assert not thread.is_alive()


def configuration(source: str, **sections: Any) -> Configuration:
    """A configuration with an input, and streams and writers in the order of their slots."""
    slots = {f"{kind}.{name}": i for kind, named in sections.items() for i, name in enumerate(named, 1)}
    return Configuration.model_validate({"source": {"address": source}, **sections, "slots": slots})


def writer_alone(config: WriterConfig, tell: Tell, wake: Callable[[], None]) -> WriterOutput:
    """A writer without a router."""
    return WriterOutput(
        slot=1,
        name="file",
        config=config,
        source=SourceConfig(),
        received=InputLedger(),
        tell=tell,
        wake=wake,
    )


def plan(path: Path, num_images: int = 0, **fields: Any) -> control.AcquisitionPlan:
    known = {
        "acquisition_id": "1700000000000-1",
        "run_id": "run",
        "path": str(path),
        "detector_name": "detector",
        "num_images": num_images,
        "compression": "none",
        "overwrite": False,
        "user_id": 0,
        "attributes": {"start_time": 1.7e9},
        "in_parts": fields.get("number_of_parts", 1) > 1,
    }
    return control.AcquisitionPlan(**{**known, **fields})


def image(frame_id: int, shape: tuple[int, ...] = (4, 5)) -> np.ndarray[Any, Any]:
    """An image whose every pixel tells its frame id."""
    return (np.arange(np.prod(shape)).reshape(shape) + 7 * frame_id).astype(np.uint16)


def message(frame_id: int, shape: tuple[int, ...] = (4, 5), **extra: Any) -> Parts:
    return [bytes(part) for part in array_1_0.encode(frame_id, image(frame_id, shape), **extra)]


def send(source: zmq.Socket[bytes], ids: Iterable[int], **options: Any) -> list[Parts]:
    """Send messages with these frame ids; what was sent."""
    messages = [message(frame_id, **options) for frame_id in ids]
    for parts in messages:
        source.send_multipart(parts)
    return messages


def receive(socket: zmq.Socket[bytes], count: int) -> list[Parts]:
    """Exactly `count` messages."""
    return [socket.recv_multipart() for _ in range(count)]


def frame_ids(messages: list[Parts]) -> list[int]:
    return [array_1_0.decode(parts).frame_id for parts in messages]
