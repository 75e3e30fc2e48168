"""The way of a stream from a receiver to the data plane that merges it: an envelope before each message.

It is the first part: the lane (a receiver from its start to its end), the number of the message in it, the
kind of what follows, and the frame's id.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import zmq

from repstream.accounting import Kind
from repstream.dataplane.outputs import Passing
from repstream.dataplane.zmq_transport import ZmqTransport
from repstream.messages.frame import Frame
from repstream.parameters.stream import StreamConfig
from repstream.sources.zmq import ASSUMED_BYTES

_LANE = struct.Struct("<IQ")
_WHAT = struct.Struct("<BQ")
_ENVELOPE = struct.Struct("<IQBQ")

_KINDS = {"series start": Kind.BEGIN, "series end": Kind.END}


class Envelope(NamedTuple):
    """What stands before a message; `number` counts those of the lane from 1."""

    lane: int
    number: int
    kind: Kind
    frame_id: int


def envelope_in(part: Any) -> Envelope:
    """The envelope that the first part of a message is."""
    lane, number, kind, frame_id = _ENVELOPE.unpack(part)
    return Envelope(lane, number, Kind(kind), frame_id)


class Enveloping:
    """Puts kind and id before each message; fills `PassingStep`."""

    def __call__(self, frame: Frame) -> Frame:
        return msgspec.structs.replace(frame, parts=[_WHAT.pack(Kind.FRAME, frame.frame_id), *frame.parts])

    def pass_on(self, message: Passing) -> Passing:
        kind = _KINDS.get(message.kind, Kind.OTHER)
        return msgspec.structs.replace(message, parts=[_WHAT.pack(kind, 0), *message.parts])


class LaneTransport(ZmqTransport):
    """The socket of a stream to the data plane that merges it; fills `Transport`.

    Messages are numbered as the socket takes them, so the other end sees what is lost in between.
    """

    def __init__(
        self,
        lane: int,
        name: str,
        config: StreamConfig,
        context: zmq.Context[zmq.Socket[bytes]],
        expected: int,
    ) -> None:
        self._lane, self._taken = lane, 0
        super().__init__(name, config, context, True, expected or ASSUMED_BYTES)

    def send(self, parts: Sequence[Any]) -> bool:
        first = _LANE.pack(self._lane, self._taken + 1) + parts[0]
        if not super().send([first, *parts[1:]]):
            return False
        self._taken += 1
        return True
