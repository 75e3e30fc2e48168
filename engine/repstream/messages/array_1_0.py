"""array-1.0: a JSON header and one or more parts of raw pixels, GigaFRoST's variant included.

Header: `htype` "array-1.0" (GigaFRoST: a list of that one text), `shape` slowest dimension
first, `type` one of `PIXEL_TYPES`, `frame` 0 … 2^64-1, and optionally the byte order
`endianness` (GigaFRoST and PCO Edge: `endianess`) "little" or "big", and `encoding`. Other
fields are left alone. Each data part holds one image of that shape in C order.

Reasons of `MalformedMessage` here: "json" (not a JSON document in UTF-8), "htype" (another
format, or none named), "field" (a field missing or wrong), "parts" (no data part) and "size"
(a data part's length is not that of the shape).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages.frame import ARRAY, PIXEL_TYPES, Frame, PixelType, image_shape
from repstream.messages.header import (
    MAX_DETAIL,
    MAX_ID,
    Id,
    Shape,
    has_odd_numbers,
    header_of,
    load_json,
    read_htype,
    read_json,
    size_of,
)

HTYPE = ARRAY
MAX_FRAME_ID = MAX_ID

_HTYPES = (HTYPE, [HTYPE])

_ITEM_SIZE = {name: np.dtype(name).itemsize for name in PIXEL_TYPES}
_RESERVED = frozenset({"htype", "shape", "type", "frame", "endianness", "endianess", "encoding"})

_Order = Literal["little", "big"]


class _Attributes(msgspec.Struct, gc=False):
    """Any object: what is in it does not matter to routing."""


class _Header(msgspec.Struct, gc=False):
    htype: str | list[str]
    shape: Shape
    type: PixelType
    frame: Id
    endianness: _Order | None = None
    endianess: _Order | None = None
    encoding: Literal["", "none"] | None = None
    image_attributes: _Attributes | msgspec.UnsetType = msgspec.UNSET


_header = msgspec.json.Decoder(_Header)
_object = msgspec.json.Decoder(dict[str, Any])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()


def decode(parts: Sequence[Any]) -> Frame:
    """The frame in a message; `parts` are `zmq.Frame`, bytes or memoryviews, header first.

    Only the header is read, data parts are measured and handed on as they are. An image
    without pixels (a 0 in the shape) is refused. Of a field given twice the last one counts.
    Raises `MalformedMessage` with one of the reasons above, and nothing else.
    """
    header = header_of(parts)
    try:
        # Every frame passes here: one call instead of three where nothing is wrong.
        fields = _header.decode(header) if header.isascii() else _read_header(header)
    except (msgspec.DecodeError, RecursionError):
        fields = _read_header(header)
    if fields.htype not in _HTYPES:
        _refuse_other_htype(header)
    frame_id = fields.frame
    if frame_id > MAX_FRAME_ID:
        raise MalformedMessage("field", "frame is beyond 64 bits")
    order = fields.endianness
    if fields.endianess is not None:
        if order is not None and order != fields.endianess:
            raise MalformedMessage("field", f"endianness {order}, but endianess {fields.endianess}")
        order = fields.endianess
    shape = fields.shape
    payloads = parts[1:]
    if not payloads:
        raise MalformedMessage("parts", "a header without data")
    expected = math.prod(shape) * _ITEM_SIZE[fields.type]
    for payload in payloads:
        if size_of(payload) != expected:
            number = 1 + [size_of(payload) == expected for payload in payloads].index(False)
            raise MalformedMessage(
                "size", f"part {number} has {size_of(payload)} bytes, {fields.type} {shape} takes {expected}"
            )
    return Frame(
        frame_id=frame_id,
        shape=shape if len(shape) <= 2 else image_shape(shape),
        dtype=fields.type,
        big_endian=order == "big",
        encoding="",
        parts=parts,
        payloads=payloads,
        nbytes=len(header) + expected * len(payloads),
    )


def _read_header(header: bytes) -> _Header:
    """The header, or the `MalformedMessage` that says what is wrong with it."""
    try:
        return read_json(_header, header)
    except MalformedMessage as error:
        if error.reason == "field":
            _refuse_other_htype(header)
        raise


def _refuse_other_htype(header: bytes) -> None:
    htype = read_htype(header)
    if htype != HTYPE:
        raise MalformedMessage("htype", f"{htype[:MAX_DETAIL]!r} instead of {HTYPE!r}")


def encode(
    frame_id: int, image: npt.NDArray[Any], *more: npt.NDArray[Any], **extra: Any
) -> list[bytes | memoryview]:
    """A message with one image, or several of the same shape and type; `extra` are further fields.

    The pixels are not copied where the array is contiguous in C order, so do not change it
    until the message is gone. Raises `ValueError` for a frame id beyond 0 … 2^64-1, a type
    outside `PIXEL_TYPES`, an empty image, or an extra field that the format defines.
    """
    if not 0 <= frame_id <= MAX_FRAME_ID:
        raise ValueError(f"frame_id = {frame_id}: must be 0 … 2^64-1")
    if image.dtype.name not in PIXEL_TYPES:
        raise ValueError(f"{image.dtype} is none of the pixel types {', '.join(PIXEL_TYPES)}")
    if image.size == 0:
        raise ValueError(f"an image of shape {image.shape} has no pixels")
    if any(other.shape != image.shape or other.dtype != image.dtype for other in more):
        raise ValueError("the images of one message must have one shape and one type")
    if defined := _RESERVED & extra.keys():
        raise ValueError(f"defined by the format, not an extra field: {', '.join(sorted(defined))}")
    header = {
        "htype": HTYPE,
        "shape": image.shape,
        "type": image.dtype.name,
        "frame": frame_id,
        "endianness": "little" if image.dtype.newbyteorder("<") == image.dtype else "big",
        **extra,
    }
    return [_encoder.encode(header), *(_bytes_of(one) for one in (image, *more))]


def _bytes_of(image: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(image).reshape(-1).view(np.uint8).data


def array(frame: Frame, i: int = 0) -> npt.NDArray[Any]:
    """The i-th image of a frame, in its own byte order: a read-only view, nothing is copied.

    Raises `ValueError` for compressed pixels.
    """
    if frame.encoding:
        raise ValueError(f"frame {frame.frame_id} holds {frame.encoding} pixels, not raw ones")
    image = np.frombuffer(frame.payloads[i], _wire_type(frame.dtype, frame.big_endian)).reshape(frame.shape)
    image.flags.writeable = False
    return image


@cache
def _wire_type(name: str, big_endian: bool) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype.newbyteorder(">" if big_endian else "<")


def gigafrost_header(
    frame_id: int,
    shape: Sequence[int],
    dtype: str = "uint16",
    *,
    scan_index: int = 0,
    trigger_signal: int = 0,
    image_exposure_time: int = 10_000,
    enable_signal: int = 0,
    image_sync_time: int = 0,
    scan_datetime: int = 0,
    time_stamp: int = 0,
    image_is_complete: bool = True,
) -> bytes:
    """A header as a GigaFRoST sends it, field for field; `shape` is (height, width).

    `image_number` is the frame id. Times are the detector's own counts; one recorded at a
    real one has image_sync_time 1450157077, scan_datetime 1631087755 (Unix seconds) and
    time_stamp 155337324560.
    """
    attributes = {
        "scan_index": scan_index,
        "trigger_signal": trigger_signal,
        "image_number": frame_id,
        "image_exposure_time": image_exposure_time,
        "enable_signal": enable_signal,
        "image_sync_time": image_sync_time,
        "scan_datetime": scan_datetime,
        "time_stamp": time_stamp,
        "image_is_complete": image_is_complete,
    }
    header = {
        "image_attributes": attributes,
        "tags": ["0"],
        "endianess": "little",
        "frame": frame_id,
        "source": "gigafrost",
        "shape": shape,
        "htype": [HTYPE],
        "type": dtype,
    }
    return _encoder.encode(header)


def attributes(header: bytes) -> dict[str, int | float | bool]:
    """The numeric attributes of a header that `decode` took, by name.

    These are the members of `image_attributes` and the numeric fields beside it, but
    `frame`; of two with one name that in `image_attributes` counts. Texts, lists, objects
    and numbers that neither a 64-bit integer nor a double can hold are left out. Raises
    `MalformedMessage` ("json") for anything but a JSON object.
    """
    try:
        fields = _object.decode(header)
    except msgspec.ValidationError:
        fields = _readable(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fields = _loose_fields(header, error)
    fields.pop("frame", None)
    inner = fields.get("image_attributes")
    found = {**fields, **inner} if isinstance(inner, dict) else fields
    # Written out and not in a function, which would double the time for a frame's header.
    return {
        name: value
        for name, value in found.items()
        if (kind := type(value)) is float
        or kind is bool
        or (kind is int and -(2**63) <= value <= MAX_FRAME_ID)
    }


def text(header: bytes, name: str) -> str:
    """The member `name` of `image_attributes`; empty where there is no such text.

    Raises `MalformedMessage` ("json") for anything but a JSON object.
    """
    inner = raw_fields(header).get("image_attributes")
    try:
        found = msgspec.json.decode(raw_fields(inner)[name]) if inner is not None else ""
    except (KeyError, MalformedMessage, msgspec.MsgspecError):
        return ""
    return found if isinstance(found, str) else ""


def _readable(header: bytes | msgspec.Raw) -> dict[str, Any]:
    """The fields of an object one by one, without those that hold a number out of range."""
    found: dict[str, Any] = {}
    for name, raw in raw_fields(header).items():
        try:
            found[name] = msgspec.json.decode(raw)
        except msgspec.ValidationError:
            if name == "image_attributes":
                found[name] = _readable(raw)
    return found


def raw_fields(header: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, undecoded. Raises `MalformedMessage` ("json") for anything else."""
    try:
        return _fields.decode(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        loose = _loose_fields(bytes(header), error)
        return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in loose.items()}


def _loose_fields(header: bytes, error: Exception) -> dict[str, Any]:
    """The fields of a header with NaN or Infinity among its numbers."""
    found: Any = None
    if has_odd_numbers(header, error):
        try:
            found = load_json(header)
        except (ValueError, RecursionError) as other:
            error = other
    if not isinstance(found, dict):
        raise MalformedMessage("json", str(error)[:MAX_DETAIL]) from None
    return found


def std_det_writer_header(
    header: bytes,
    number: int,
    *,
    output_file: str,
    run_id: int | str,
    n_images: int,
    detector_name: str,
    user_id: int | str,
) -> bytes:
    """A header rewritten for an external std-det-writer; `number` counts from 0 in the acquisition.

    `frame`, `i_image` and `image_attributes.image_number` become `number`, the writer's
    fields are added with `status` 0, all others stay as they were, byte for byte. Raises
    `MalformedMessage` ("json") for anything but a JSON object.
    """
    fields: dict[str, Any] = dict(raw_fields(header))
    inner = raw_fields(fields["image_attributes"]) if "image_attributes" in fields else {}
    fields |= {
        "image_attributes": {**inner, "image_number": number},
        "frame": number,
        "output_file": output_file,
        "run_id": run_id,
        "user_id": user_id,
        "n_images": n_images,
        "i_image": number,
        "status": 0,
        "detector_name": detector_name,
    }
    return _encoder.encode(fields)
