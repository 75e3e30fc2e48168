"""Messages between the service and the pictures' process."""

from __future__ import annotations

import msgspec

from repstream.dataplane.control import Opening
from repstream.parameters.facts import Value
from repstream.pipe_messages import PipeMessages


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Take a configuration (`Configuration` as JSON); numbers are marked with `generation` from then on."""

    generation: int
    configuration: str


class Gate(msgspec.Struct, frozen=True, tag="gate"):
    """What went through the gate of a writer, by its name, in one opening; said again when there is more."""

    writer: str
    acquisition_id: str
    opening: Opening


class LastFrames(msgspec.Struct, frozen=True, tag="last_frames"):
    """The data plane keeps the last frames of streams at `address` (see `dataplane.last_frames`)."""

    address: str


Request = Follow | Gate | LastFrames


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The process serves pictures at `address`."""

    address: str


class Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """What is known of one slot now, by field: all of its status, its results or its gate, or several."""

    generation: int
    slot: int
    fields: dict[str, Value]


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The loop turns; comes at least once a second."""


Notice = Ready | Numbers | Beat

requests: PipeMessages[Request] = PipeMessages(Request)
notices: PipeMessages[Notice] = PipeMessages(Notice)
