"""Messages between driver and writers of the standard DAQ: actions one way, responses the other.

One part each, `WriterAction` and `WriterResponse` of `std_daq_schema`, read by the rules of
`std_daq_metadata`.

Reasons of `MalformedMessage` here: "parts", "protobuf", "field" (no action, or a code that is not
known), and those of the metadata in "record_image".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages import std_daq_schema as schema
from repstream.messages.std_daq_metadata import ImageMetadata, enum_value, from_wire, parse, to_wire

Code = Literal["UNKNOWN", "SUCCESS", "FAILURE"]


class CreateFile(msgspec.Struct, frozen=True, gc=False):
    """Open `path` under the effective user id `writer_id`. Both are the driver's words: check them."""

    path: str
    writer_id: int = 0


class RecordImage(msgspec.Struct, frozen=True, gc=False):
    """Write this image."""

    image_metadata: ImageMetadata


class CloseFile(msgspec.Struct, frozen=True, gc=False):
    """Close the file."""


class ConfirmLastImage(msgspec.Struct, frozen=True, gc=False):
    """No image follows: confirm the last one."""


Action = CreateFile | RecordImage | CloseFile | ConfirmLastImage


class WriterResponse(msgspec.Struct, frozen=True, gc=False):
    """How an action ended; `reason` for people, in a failure."""

    code: Code
    reason: str = ""


def decode_action(parts: Sequence[Any]) -> Action:
    """What a writer is to do. Raises `MalformedMessage` with one of the reasons above."""
    wire = parse(schema.WriterAction, parts)
    match wire.WhichOneof("action"):
        case "create_file":
            return CreateFile(wire.create_file.path, wire.create_file.writer_id)
        case "record_image":
            return RecordImage(from_wire(wire.record_image.image_metadata))
        case "close_file":
            return CloseFile()
        case "confirm_last_image":
            return ConfirmLastImage()
    raise MalformedMessage("field", "no action that is known")


def encode_action(action: Action) -> list[bytes]:
    """The message, of one part. Raises as `std_daq_metadata.encode`."""
    match action:
        case CreateFile():
            wire = schema.WriterAction(create_file=msgspec.structs.asdict(action))
        case RecordImage():
            wire = schema.WriterAction(record_image={"image_metadata": to_wire(action.image_metadata)})
        case CloseFile():
            wire = schema.WriterAction(close_file={})
        case ConfirmLastImage():
            wire = schema.WriterAction(confirm_last_image={})
    return [wire.SerializeToString()]


def decode_response(parts: Sequence[Any]) -> WriterResponse:
    """What a writer answered. Raises `MalformedMessage` with one of the reasons above."""
    wire = parse(schema.WriterResponse, parts)
    return WriterResponse(enum_value("Code", wire.code), wire.reason)


def encode_response(response: WriterResponse) -> list[bytes]:
    """The message, of one part. Raises `ValueError` for another code or a text beyond UTF-8."""
    return [schema.WriterResponse(code=response.code, reason=response.reason).SerializeToString()]
