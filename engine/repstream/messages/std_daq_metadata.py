"""Image metadata of the standard DAQ: a protobuf message an image, whose pixels are in shared memory.

One part, `ImageMetadata` of `std_daq_schema`. Read by protobuf's own rules: fields that are not
known are skipped, of a field given twice the last counts, and a number wider than its field is
cut to it, as the DAQ's C++ services do.

Reasons of `MalformedMessage` here: "parts", "protobuf" (not that message at all), "field" (no
pixel type, or an enum's value that is not known) and "size".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from google.protobuf.message import DecodeError

from repstream.errors import MalformedMessage
from repstream.messages import std_daq_schema as schema
from repstream.messages.frame import PIXEL_TYPES, PixelType
from repstream.messages.header import MAX_DETAIL, count_parts
from repstream.messages.pixels import ITEM_SIZE

Status = Literal["undefined", "good_image", "missing_packets", "id_missmatch"]
"""How an image arrived, in the standard DAQ's words."""

Compression = Literal["none", "h5bitshuffle_lz4", "blosc2"]
"""How its pixels are stored, in the standard DAQ's words."""

MAX_BYTES = 2**63 - 1
"""Bytes of an image at most: no buffer is larger."""


class GigaFrost(msgspec.Struct, frozen=True, gc=False):
    """What a GigaFRoST adds; numbers as its backend counts them, `store_image`: keep it in a file."""

    scan_id: int = 0
    scan_time: int = 0
    sync_time: int = 0
    frame_timestamp: int = 0
    exposure_time: int = 0
    store_image: bool = False


class Jungfrau(msgspec.Struct, frozen=True, gc=False):
    """What a Jungfrau adds: its DAQ record."""

    daq_rec: int = 0


class Eiger(msgspec.Struct, frozen=True, gc=False):
    """What an Eiger adds: its exposure time, as the detector counts it."""

    exptime: int = 0


class Pco(msgspec.Struct, frozen=True, gc=False):
    """What a PCO camera adds: the time since 1970 in s and ns, and its bsread name."""

    global_timestamp_sec: int = 0
    global_timestamp_ns: int = 0
    bsread_name: str = ""


Detector = GigaFrost | Jungfrau | Eiger | Pco

DETECTORS: Mapping[str, type[Detector]] = {"gf": GigaFrost, "jf": Jungfrau, "eg": Eiger, "pco": Pco}
"""By the name of the field that they come in."""

_WORDS = {enum: {number: word for word, number in values.items()} for enum, values in schema.ENUMS.items()}
_FIELD_OF = {kind: name for name, kind in DETECTORS.items()}


class ImageMetadata(msgspec.Struct, frozen=True, gc=False):
    """One image in the ring buffer.

    `image_id`: 0 … 2^64-1. `height`, `width`: pixels. `size`: bytes that the image takes, those of
    its shape and `dtype`. Of a compressed image, or one with missing packets, it may be less, and
    never more, for a slot holds no more.
    `dtype`: numpy name. `status` other than ``"good_image"`` is no error: deliver and count it.
    `detector`: what one kind of detector adds, None for others.
    """

    image_id: int
    height: int
    width: int
    size: int
    dtype: PixelType
    status: Status = "good_image"
    compression: Compression = "none"
    detector: Detector | None = None


def decode(parts: Sequence[Any]) -> ImageMetadata:
    """The metadata of one image. Raises `MalformedMessage` with one of the reasons above.

    An empty message is valid protobuf, and refused since it has no pixels ("size").
    """
    return from_wire(parse(schema.ImageMetadata, parts))


def encode(metadata: ImageMetadata) -> list[bytes]:
    """The message, of one part.

    Raises `ValueError` for a number out of its range, a word that an enum does not have, or a
    `size` that shape, type and compression do not allow; `TypeError` for a field of another type.
    """
    return [to_wire(metadata).SerializeToString()]


def parse(kind: Any, parts: Sequence[Any]) -> Any:
    """The only part of a message as `kind`, a class of `std_daq_schema`.

    Raises `MalformedMessage` ("parts", "protobuf").
    """
    count_parts(parts, 1)
    try:
        return kind.FromString(bytes(parts[0]))
    except (DecodeError, UnicodeDecodeError) as error:
        # Which of the two a text that is not UTF-8 gives depends on protobuf's implementation.
        raise MalformedMessage("protobuf", str(error)[:MAX_DETAIL]) from None


def enum_value(enum: str, number: int) -> Any:
    """The word for a number of an enum; "field" for a number it does not have: proto3 lets them pass."""
    try:
        return _WORDS[enum][number]
    except KeyError:
        raise MalformedMessage("field", f"{enum.lower()} {number} is not known") from None


def from_wire(wire: Any) -> ImageMetadata:
    """The metadata in a `std_daq_schema.ImageMetadata`. Raises `MalformedMessage` ("field", "size")."""
    if not (wire.height and wire.width):
        raise MalformedMessage("size", f"an image of {wire.height} x {wire.width} pixels")
    member = wire.WhichOneof("detector")
    metadata = ImageMetadata(
        wire.image_id,
        wire.height,
        wire.width,
        wire.size,
        enum_value("Dtype", wire.dtype),
        enum_value("Status", wire.status),
        enum_value("Compression", wire.compression),
        _detector(DETECTORS[member], getattr(wire, member)) if member else None,
    )
    if metadata.dtype not in PIXEL_TYPES:
        raise MalformedMessage("field", f"dtype {metadata.dtype} is no pixel type")
    if fault := _size_fault(metadata):
        raise MalformedMessage("size", fault)
    return metadata


def to_wire(metadata: ImageMetadata) -> Any:
    """The same as a `std_daq_schema.ImageMetadata`. Raises as `encode`."""
    fields = msgspec.structs.asdict(metadata)
    detector = fields.pop("detector")
    if detector is not None:
        fields[_FIELD_OF[type(detector)]] = msgspec.structs.asdict(detector)
    wire = schema.ImageMetadata(**fields)
    if metadata.dtype not in PIXEL_TYPES:
        raise ValueError(f"dtype = {metadata.dtype!r}: must be one of {', '.join(PIXEL_TYPES)}")
    if fault := _size_fault(metadata):
        raise ValueError(f"image {metadata.image_id}: {fault}")
    return wire


def _detector(kind: type[Detector], wire: Any) -> Detector:
    return kind(*(getattr(wire, name) for name in kind.__struct_fields__))


def _size_fault(metadata: ImageMetadata) -> str:
    """What is wrong with shape and size, ``""`` if nothing is."""
    nbytes = metadata.height * metadata.width * ITEM_SIZE[metadata.dtype]
    image = f"{metadata.dtype} {metadata.height} x {metadata.width}"
    if not 0 < nbytes <= MAX_BYTES:
        return f"{image} takes {nbytes} bytes, must be 1 … 2^63-1"
    # An incomplete image is no error, and the reference message of an Eiger has half the bytes here.
    if metadata.compression != "none" or metadata.status == "missing_packets":
        return "" if 0 < metadata.size <= nbytes else f"size is {metadata.size}, {image} takes 1 … {nbytes}"
    return "" if metadata.size == nbytes else f"size is {metadata.size}, {image} takes {nbytes}"
