"""The receiving side of a stream: one message at a time, handed to a handler part by part."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import zmq

from repstream.errors import MalformedMessage
from repstream.messages import dectris_v2
from repstream.messages.header import MAX_DETAIL

_NOBLOCK = int(zmq.NOBLOCK)
_document = msgspec.json.Decoder()

Part = Any
"""The first part is bytes, the others are `zmq.Frame`s: memory of the message, not copied."""


class Statistics:
    """What a stream received; one object a stream, which counts on.

    `bytes_received`: bytes of the last message. `total_bytes_received`, `messages_received`:
    of all messages that a handler took. `messages_skipped`: those that none could decode.
    """

    def __init__(self) -> None:
        self.bytes_received = 0
        self.total_bytes_received = 0
        self.messages_received = 0
        self.messages_skipped = 0


class Message:
    """What a handler made of a message (`data`), and the stream's `statistics` up to now."""

    def __init__(self, statistics: Statistics, data: Any) -> None:
        self.statistics = statistics
        self.data = data


def loads(part: Part) -> Any:
    """The JSON document in a part. Raises `MalformedMessage` ("json")."""
    text = part.bytes if isinstance(part, zmq.Frame) else part
    try:
        return _document.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python's own writer makes NaN and integers of any size, which this decoder refuses.
        return _loads_of_python(text)
    except RecursionError as error:
        raise MalformedMessage("json", str(error)) from None


def _loads_of_python(text: bytes) -> Any:
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("json", str(error)[:MAX_DETAIL]) from None


class ReceiveHandler:
    """What a handler reads a message from.

    A message is received whole, so that reading never runs on into the following one: `next`
    gives None when there are no more parts. Used by itself, without `Stream.receive`, it
    begins the next message where one has been read to its end.

    `block`: whether to wait for a message. `statistics`: see there.
    """

    def __init__(self, socket: zmq.Socket[bytes], copy: bool = True) -> None:
        self.socket = socket
        self.statistics = Statistics()
        self.block = True
        self.zmq_copy = copy
        # The wrapper of this one checks for cases that do not occur here, for each part.
        self._recv = super(zmq.Socket, socket).recv
        self._parts: list[Part] = []
        self._at = 0
        self._header: Any = None
        self._bounded = False

    def begin(self) -> bool:
        """Receive the next message, and stay within it until `flush`; False if there is none in time."""
        self._bounded = True
        try:
            self._receive()
        except zmq.Again:
            self._bounded = False
            return False
        return True

    def header(self) -> Any:
        """The first part, decoded from JSON; `next` gives it once more.

        Raises `zmq.Again` where no message comes in time, `MalformedMessage` ("json").
        """
        if not self._bounded and self._at >= len(self._parts):
            self._receive()
        return self._document()

    def next(self, as_json: bool = False) -> Any:
        """The next part, as it is or (`as_json`) decoded; None if there is none.

        As it is means bytes, or without copying (`copy=False`) a read-only memoryview for all
        but the first. Raises `MalformedMessage` ("json") for a part that is no JSON document.
        """
        if self._at >= len(self._parts) and not self._more():
            return None
        first, part = self._at == 0, self._parts[self._at]
        self._at += 1
        if as_json:
            return self._document() if first else loads(part)
        return part if first else self.plain(part)

    def take(self) -> list[Part]:
        """All parts that are left, as they were received."""
        if self._at >= len(self._parts) and not self._more():
            return []
        parts = self._parts[self._at :] if self._at else self._parts
        self._at = len(self._parts)
        return parts

    def is_cbor(self) -> bool:
        """Whether the message begins with a map of CBOR (DECTRIS stream v2) instead of a header."""
        # No JSON text begins above 0x9f, so that nearly every message is looked at no further.
        return self._parts[0][:1] > b"\x9f" and dectris_v2.is_cbor(self._parts[0])

    def plain(self, part: Part) -> bytes | memoryview:
        """A part as `next` gives it."""
        if isinstance(part, bytes):
            return part
        return bytes(part) if self.zmq_copy else memoryview(part).toreadonly()

    def has_more(self) -> bool:
        """Whether the message has parts that were not read yet."""
        return self._at < len(self._parts)

    def flush(self, success: bool = True) -> None:
        """End the message: count it, and leave out what was not read."""
        if self._parts:
            statistics = self.statistics
            statistics.bytes_received = sum(map(len, self._parts))
            if success:
                statistics.total_bytes_received += statistics.bytes_received
                statistics.messages_received += 1
            else:
                statistics.messages_skipped += 1
        self._parts, self._at, self._header, self._bounded = [], 0, None, False

    def _document(self) -> Any:
        if self._header is None:
            self._header = loads(self._parts[0])
        return self._header

    def _more(self) -> bool:
        if self._bounded:
            return False
        try:
            self._receive()
        except zmq.Again:
            return False
        return True

    def _receive(self) -> None:
        recv = self._recv
        self._parts, self._at, self._header = [], 0, None
        # Asking a part for more is cheaper than asking the socket, and even small parts come
        # no faster as copies.
        part: Any = recv(0 if self.block else _NOBLOCK, False)
        parts: list[Part] = [bytes(part)]
        try:
            while part.more:
                part = recv(0, False)
                parts.append(part)
        except BaseException:
            # Ctrl-C within a message: what is left of it must not become the next one.
            while self.socket.rcvmore:
                recv(0, False)
            raise
        self._parts = parts
