"""A simulated detector: messages made up or recorded, faults on request, sent at a steady rate."""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from repstream.errors import StorageError
from repstream.sockets.security import Open, Security
from repstream.sources.images import Image

Parts = Sequence[Any]
"""A multipart message: header first, then binary parts (anything with the buffer protocol)."""

RECORDED = re.compile(r"(\d{6,})_(\d{3,})\.raw")
IN_FLIGHT = 64 * 2**20
"""Bytes that may wait in the socket for a slow consumer."""
LATE = 0.5
"""Seconds behind from which a detector that was held up begins its rhythm anew."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, 0 … 1, that a frame is left out, sent twice, or follows a malformed message."""

    gaps: float = 0.0
    duplicates: float = 0.0
    errors: float = 0.0


@dataclass(slots=True)
class Counts:
    """What a detector did: `frames` counts messages that are frames, duplicates included."""

    frames: int = 0
    left_out: int = 0
    duplicates: int = 0
    malformed: int = 0
    nbytes: int = 0
    last_frame_id: int | None = None


def synthetic(
    images: Callable[[int], Image], encode: Callable[[int, Image], Parts], first: int, number: int
) -> Iterator[tuple[int, Parts]]:
    """Frame ids and messages from `first` on; `number` of them, or (0) without end."""
    ids = itertools.count(first) if number == 0 else range(first, first + number)
    return ((frame_id, encode(frame_id, images(frame_id))) for frame_id in ids)


def recorded(folder: Path, number: int | None, first: int | None) -> Iterator[tuple[int, Parts]]:
    """Messages recorded as ``NNNNNN_MMM.raw`` (message, part), in order.

    `number` of them, repeating the folder where it has fewer; 0 goes on without end, None
    sends the folder once. `first` renumbers the frames from there on; None leaves the headers
    as they are. Raises `StorageError` where the folder holds none.
    """
    messages = recorded_files(folder)
    count = len(messages) if number is None else number
    turns = itertools.count() if count == 0 else range(count)
    for turn in turns:
        parts = [path.read_bytes() for path in messages[turn % len(messages)]]
        yield turn, parts if first is None else [_renumbered(parts[0], first + turn), *parts[1:]]


def recorded_files(folder: Path) -> list[list[Path]]:
    """The files of each recorded message; raises `StorageError` where there are none."""
    if not folder.is_dir():
        raise StorageError(f"{folder} is not a folder")
    named = sorted(
        (int(match[1]), int(match[2]), path)
        for path in folder.iterdir()
        if (match := RECORDED.fullmatch(path.name))
    )
    if not named:
        raise StorageError(f"{folder} has no recorded messages: files named NNNNNN_MMM.raw (message, part)")
    return [[path for *_, path in group] for _, group in itertools.groupby(named, key=lambda n: n[0])]


def _renumbered(header: bytes, frame_id: int) -> bytes:
    try:
        fields = json.loads(header)
    except ValueError:
        return header
    if not isinstance(fields, dict) or "frame" not in fields:
        return header
    return json.dumps({**fields, "frame": frame_id}).encode()


MALFORMATIONS: tuple[Callable[[Parts], Parts], ...] = (
    lambda parts: [b"this is not JSON", *parts[1:]],
    lambda parts: parts[:1],
    lambda parts: [*parts[:-1], bytes(parts[-1])[:-1]],
    lambda parts: [b'{"htype": "array-1.0"}', *parts[1:]],
)
"""Ways to spoil a message, used in turn: no JSON, no data, a byte short, no fields."""


def disturbed(
    messages: Iterable[tuple[int, Parts]], faults: Faults, counts: Counts, seed: int = 0
) -> Iterator[tuple[int, Parts]]:
    """The messages with faults among them; `counts` gets what is done. Reproducible by `seed`."""
    dice = random.Random(seed)
    for frame_id, parts in messages:
        if dice.random() < faults.errors:
            yield frame_id, MALFORMATIONS[counts.malformed % len(MALFORMATIONS)](parts)
            counts.malformed += 1
        if dice.random() < faults.gaps:
            counts.left_out += 1
            continue
        yield frame_id, parts
        counts.frames += 1
        counts.last_frame_id = frame_id
        if dice.random() < faults.duplicates:
            yield frame_id, parts
            counts.frames += 1
            counts.duplicates += 1


class Pace:
    """A steady rate in Hz; 0 never waits. After a hold-up of some length it starts anew."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._period = 1 / rate if rate else 0.0
        self._next = time.monotonic()

    def wait(self, stop: threading.Event) -> None:
        """Wait for the next frame's moment, or until `stop`."""
        now = time.monotonic()
        if now - self._next > LATE:
            self._next = now
        if self._next > now:
            stop.wait(self._next - now)
        self._next += self._period


@dataclass(slots=True)
class Detector:
    """Sends messages from one ZMQ socket, as a detector does.

    PUSH waits for a consumer and loses nothing; PUB sends to whoever listens. `address` is the
    actual one once bound (port ``*`` takes a free one). `security` encrypts it. Raises
    `zmq.ZMQError` where it cannot be bound.
    """

    address: str
    mode: str = "push"
    connect: bool = False
    frame_bytes: int = 0
    security: Security = field(default_factory=Open)
    _context: zmq.Context[zmq.Socket[bytes]] = field(init=False)
    _socket: zmq.Socket[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._context = zmq.Context()
        # XPUB is a PUB that hears who subscribes: so that one can wait for a consumer.
        self._socket = self._context.socket(zmq.PUSH if self.mode == "push" else zmq.XPUB)
        self._socket.sndhwm = max(4, min(1000, IN_FLIGHT // max(self.frame_bytes, 1)))
        # Without it a connecting PUSH would fill its queue for a consumer that is not there.
        self._socket.immediate = True
        try:
            self.security.apply(self._context, self._socket)
            (self._socket.connect if self.connect else self._socket.bind)(self.address)
        except zmq.ZMQError:
            self.close(wait=0)
            raise
        self.address = self._socket.get_string(zmq.LAST_ENDPOINT)

    def wait_for_consumer(self, stop: threading.Event) -> None:
        """Wait until somebody takes frames, or until `stop`."""
        event = zmq.POLLOUT if self.mode == "push" else zmq.POLLIN
        while not stop.is_set() and not self._socket.poll(100, event):
            pass

    def send(self, parts: Parts, stop: threading.Event) -> bool:
        """Send one message, waiting for a consumer that is slow; False when stopped before."""
        while not stop.is_set():
            try:
                self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
                return True
            except zmq.Again:
                self._socket.poll(100, zmq.POLLOUT)
        return False

    def close(self, wait: float = 30.0, stop: threading.Event | None = None) -> None:
        """Close; what was sent has `wait` seconds (until `stop`) to get to its consumer."""
        self._socket.close(linger=round(wait * 1000))
        end = threading.Thread(target=self._context.term, daemon=True)
        end.start()
        while end.is_alive() and not (stop is not None and stop.is_set()):
            end.join(0.1)


def run(
    detector: Detector,
    messages: Iterable[tuple[int, Parts]],
    counts: Counts,
    *,
    rate: float,
    stop: threading.Event,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Send `messages` at `rate` Hz until they end or `stop`; `tick` is called after each."""
    pace = Pace(rate)
    for _, parts in messages:
        pace.wait(stop)
        if not detector.send(parts, stop):
            return
        counts.nbytes += sum(memoryview(part).nbytes for part in parts)
        tick()
