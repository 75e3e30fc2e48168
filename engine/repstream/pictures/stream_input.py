"""One stream of the engine, as the pictures' process hears it: the newest image counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import zmq

from repstream.errors import MalformedMessage
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of
from repstream.sockets.security import inside

WAITING = 64
"""Messages that may wait in the socket."""

AT_ONCE = 0.1
"""Seconds after which something else is looked after, while messages come without a pause."""


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A frame, its number in this stream, and when it came (`received` Unix, `clock` monotonic seconds)."""

    number: int
    frame: Frame
    received: float
    clock: float


class Heard(NamedTuple):
    """What is heard: a stream by its name, address and key, and the channel and threshold of its images."""

    name: str
    address: str
    key: str
    channel: str
    threshold: str


class StreamInput:
    """Hears a stream, but only while it is `wanted`. Used from one thread.

    `newest` is the last image that came; each is given to `receive`'s argument. `caught_up`: when last
    nothing waited (monotonic seconds). `malformed` counts what could not be read, `complaint` is the
    last reason. `channel` and `threshold` as in `FrameDecoder`. `last`: number of the last frame that was got
    from the data plane (`take_last`).
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        heard: Heard,
    ) -> None:
        self.name = heard.name
        self.last = 0
        self.newest: Arrival | None = None
        self.caught_up = time.monotonic()
        self.malformed = 0
        self.complaint = ""
        self._number = self._looked = self._asked = 0
        self._wanted = False
        self._decode = FrameDecoder(heard.channel, heard.threshold).decode
        self.socket = context.socket(zmq.SUB)
        inside(heard.key).apply(context, self.socket)
        self.socket.linger = 0
        self.socket.rcvhwm = WAITING
        self.socket.tcp_keepalive = 1
        self.socket.connect(heard.address)

    def want(self, wanted: bool) -> None:
        """Have the stream sent, or have it no longer sent: then the engine does nothing for it."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        (self.socket.subscribe if wanted else self.socket.unsubscribe)(b"")

    def is_quiet(self) -> bool:
        """Whether it is wanted, and no image has come since this was asked last."""
        before, self._looked = self._looked, self._number
        if not self._wanted or before != self._number:
            return False
        self._asked = self._number
        return True

    def take_last(self, number: int, parts: Sequence[Any]) -> None:
        """Take the last frame of the stream if that has not come, nor another since it was quiet."""
        if self._number != self._asked:
            return
        self.last = number
        try:
            found = self._decode(parts)
        except MalformedMessage:
            return  # it is counted where it came
        if isinstance(found, Frame) and not (self.newest is not None and _same(self.newest.frame, found)):
            self._number += 1
            self.newest = Arrival(self._number, found, time.time(), time.monotonic())

    def receive(self, each: Callable[[Arrival], None]) -> None:
        """Take all that has come; `each` is given every image, while `caught_up` is still what it was."""
        end = time.monotonic() + AT_ONCE
        while time.monotonic() < end:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                self.caught_up = time.monotonic()
                return
            try:
                found = self._decode(parts)
            except MalformedMessage as error:
                self.malformed += 1
                self.complaint = str(error)
                continue
            if isinstance(found, Frame):
                self._number += 1
                self.newest = Arrival(self._number, found, time.time(), time.monotonic())
                each(self.newest)

    def close(self) -> None:
        self.socket.close()


def _same(one: Frame, other: Frame) -> bool:
    """Whether these are one image, in whatever format."""
    try:
        return one.frame_id == other.frame_id and np.array_equal(array_of(one), array_of(other))
    except MalformedMessage:
        return False
