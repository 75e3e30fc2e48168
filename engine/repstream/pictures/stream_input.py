"""One stream of the engine, as the pictures' process hears it: the newest image counts."""

from __future__ import annotations

import time

import msgspec
import zmq

from repstream.errors import MalformedMessage
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame

WAITING = 64
"""Messages that may wait in the socket."""

AT_ONCE = 256
"""Messages that are received at most before something else is looked after."""


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A frame, its number in this stream, and when it came (Unix seconds)."""

    number: int
    frame: Frame
    received: float


class StreamInput:
    """Hears the stream at `address`, but only while it is `wanted`. Used from one thread.

    `newest` is the last image that came; `malformed` counts what could not be read, `complaint` is the
    last reason. `channel` and `threshold` as in `FrameDecoder`.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, channel: str, threshold: str
    ) -> None:
        self.newest: Arrival | None = None
        self.malformed = 0
        self.complaint = ""
        self._number = 0
        self._wanted = False
        self._decode = FrameDecoder(channel, threshold).decode
        self.socket = context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.rcvhwm = WAITING
        self.socket.tcp_keepalive = 1
        self.socket.connect(address)

    def want(self, wanted: bool) -> None:
        """Have the stream sent, or have it no longer sent: then the engine does nothing for it."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        (self.socket.subscribe if wanted else self.socket.unsubscribe)(b"")

    def receive(self) -> None:
        """Take all that has come."""
        for _ in range(AT_ONCE):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                found = self._decode(parts)
            except MalformedMessage as error:
                self.malformed += 1
                self.complaint = str(error)
                continue
            if isinstance(found, Frame):
                self._number += 1
                self.newest = Arrival(self._number, found, time.time())

    def close(self) -> None:
        self.socket.close()
