"""DECTRIS stream v1: dheader-1.0, dimage-1.0 and dseries_end-1.0, little-endian.

- dheader-1.0: {htype, series, header_detail}; "basic" adds the configuration (JSON), "all" also
  flat field, pixel mask and count rate table, a JSON header and a blob each.
- dimage-1.0: {htype, series, frame, hash}, {htype "dimage_d-1.0", shape, type, encoding, size}, blob,
  {htype "dconfig-1.0", start_time, stop_time, real_time}.
- dseries_end-1.0: {htype, series}.

A user's appendix may follow the first two. Shapes are [width, height] on the wire. `hash` is the MD5
of the blob; it is not verified here (`Image.intact`). Source: SIMPLON API reference, chapter Stream.

Reasons of `MalformedMessage` here: "json", "htype", "field", "parts", "size", "compression".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec

from repstream.errors import MalformedMessage
from repstream.messages.frame import Frame, PixelType
from repstream.messages.header import (
    MAX_DETAIL,
    Id,
    Size,
    check_id,
    count_parts,
    expect_htype,
    header_of,
    read_json,
    size_of,
)
from repstream.messages.pixels import ITEM_SIZE, Encoding, Pixels, measured
from repstream.messages.series import SeriesEnd, SeriesStart

START, IMAGE, END = "dheader-1.0", "dimage-1.0", "dseries_end-1.0"

TABLES: Mapping[str, str] = {
    "flatfield": "dflatfield-1.0",
    "pixel_mask": "dpixelmask-1.0",
    "countrate_table": "dcountrate_table-1.0",
}
"""Names of the tables in a start of full detail, in their order, and the `htype` of each."""

_ENCODING = re.compile(r"(?:lz4|bs(8|16|32|64)-lz4)?([<>])")

_Shape = Annotated[tuple[Size, ...], msgspec.Meta(min_length=2, max_length=3)]
"""Width and height; some senders add the depth of an image, which is 1."""

_TIMES = ("start_time", "stop_time", "real_time")


class _Start(msgspec.Struct, gc=False):
    htype: str | list[str]
    series: Id
    header_detail: Literal["none", "basic", "all"]


class _Table(msgspec.Struct, gc=False):
    shape: _Shape
    type: PixelType


class _Image(msgspec.Struct, gc=False):
    htype: str | list[str]
    series: Id
    frame: Id
    hash: str = ""


class _Blob(msgspec.Struct, gc=False):
    htype: str
    shape: _Shape
    type: PixelType
    encoding: str
    size: int | None = None


class _End(msgspec.Struct, gc=False):
    htype: str | list[str]
    series: Id


_start = msgspec.json.Decoder(_Start)
_object = msgspec.json.Decoder(dict[str, Any])
_table = msgspec.json.Decoder(_Table)
_image = msgspec.json.Decoder(_Image)
_blob = msgspec.json.Decoder(_Blob)
_end = msgspec.json.Decoder(_End)


class Image(msgspec.Struct, gc=False):
    """One image. `frame`: its number in the series, from 0. `pixels`: (height, width).

    `start_time`, `stop_time`: since the start of the series, `real_time`: of the exposure, all in
    ns. `hash`: as sent. `appendix`: the user's own part as it came, None if there is none.
    `unread`: what could not be read, in words; a time among it is 0.
    """

    series: int
    frame: int
    pixels: Pixels
    start_time: int
    stop_time: int
    real_time: int
    hash: str
    appendix: Any
    parts: Sequence[Any]
    unread: Sequence[str] = ()

    def intact(self) -> bool:
        """Whether `hash` is the MD5 of the blob."""
        return hashlib.md5(self.pixels.data, usedforsecurity=False).hexdigest() == self.hash


def decode_start(parts: Sequence[Any]) -> SeriesStart:
    """The start of a series. Raises `MalformedMessage` with one of the reasons above."""
    header = read_json(_start, header_of(parts))
    expect_htype(header.htype, "dheader-1.")
    least = {"none": 1, "basic": 2, "all": 8}[header.header_detail]
    count_parts(parts, least, least + 1)
    configuration = read_json(_object, parts[1]) if least > 1 else {}
    tables = {}
    if least == 8:
        tables = {name: _read_table(*parts[i : i + 2]) for name, i in zip(TABLES, (2, 4, 6), strict=True)}
    appendix = parts[least] if len(parts) > least else None
    return SeriesStart(check_id("series", header.series), "", configuration, tables, appendix, parts)


def _read_table(header: Any, blob: Any) -> Pixels:
    table = read_json(_table, header)
    return measured(_of_image(table.shape), table.type, False, "", blob)


def _of_image(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) == 3 and shape[2] != 1:
        raise MalformedMessage("field", f"shape {shape} is not that of an image")
    return shape[1], shape[0]


def decode_image(parts: Sequence[Any]) -> Image:
    """An image. Raises `MalformedMessage` with one of the reasons above."""
    header = read_json(_image, header_of(parts))
    expect_htype(header.htype, "dimage-1.")
    count_parts(parts, 4, 5)
    pixels = _pixels(parts)
    times, unread = _read_times(parts[3])
    return Image(
        series=check_id("series", header.series),
        frame=check_id("frame", header.frame),
        pixels=pixels,
        hash=header.hash,
        appendix=parts[4] if len(parts) > 4 else None,
        parts=parts,
        unread=unread,
        **times,
    )


def _read_times(part: Any) -> tuple[dict[str, int], Sequence[str]]:
    """The times of an image in ns, 0 for what is none: they never cost the image."""
    found, unread = dict.fromkeys(_TIMES, 0), []
    try:
        fields = read_json(_object, part)
    except MalformedMessage:
        return found, ("the times of an image are no JSON object",)
    for name in _TIMES:
        value = fields.get(name, 0)
        if isinstance(value, int | float) and -(2**63) <= value < 2**63:
            found[name] = round(value)
        else:
            unread.append(f"{name} of an image is a {type(value).__name__} that is no time in ns")
    return found, tuple(unread)


def _pixels(parts: Sequence[Any]) -> Pixels:
    blob = read_json(_blob, parts[1])
    expect_htype(blob.htype, "dimage_d-1.")
    if blob.size is not None and blob.size != size_of(parts[2]):
        raise MalformedMessage("size", f"{size_of(parts[2])} bytes, the header says {blob.size}")
    found = _ENCODING.fullmatch(blob.encoding)
    if found is None:
        raise MalformedMessage("field", f"unknown encoding {blob.encoding[:MAX_DETAIL]!r}")
    bits, order = found.groups()
    if bits is not None and int(bits) != 8 * ITEM_SIZE[blob.type]:
        raise MalformedMessage("field", f"encoding {blob.encoding} of {blob.type}")
    encoding: Encoding = "bitshuffle_lz4" if bits else "lz4" if "lz4" in blob.encoding else ""
    return measured(_of_image(blob.shape), blob.type, order == ">", encoding, parts[2])


def decode_end(parts: Sequence[Any]) -> SeriesEnd:
    """The end of a series. Raises `MalformedMessage` with one of the reasons above."""
    header = read_json(_end, header_of(parts))
    expect_htype(header.htype, "dseries_end-1.")
    count_parts(parts, 1)
    return SeriesEnd(check_id("series", header.series), "", parts)


def frame(image: Image) -> Frame:
    """The frame of an image; its attributes are the series and the times."""
    return image.pixels.frame(image.frame, image.parts, IMAGE, partial(_attributes, image))


def _attributes(image: Image) -> dict[str, int | float | bool]:
    return {name: getattr(image, name) for name in ("series", *_TIMES)}


def encode_start(
    series: int,
    configuration: Mapping[str, Any] | None = None,
    tables: Mapping[str, Pixels] | None = None,
    appendix: Any = None,
) -> list[Any]:
    """A start with as much detail as is given: nothing, the configuration, or also all `TABLES`.

    Raises ValueError for tables without a configuration, for others than `TABLES`, or for ones
    that are not raw, little-endian and of two dimensions.
    """
    detail = "none" if configuration is None else "basic" if not tables else "all"
    if tables and (detail == "none" or tables.keys() != TABLES.keys()):
        raise ValueError(f"tables need a configuration and must be {', '.join(TABLES)}, not {list(tables)}")
    parts: list[Any] = [_json(htype=START, series=series, header_detail=detail)]
    if configuration is not None:
        parts.append(msgspec.json.encode(configuration))
    for name, htype in TABLES.items() if tables else ():
        table = (tables or {})[name]
        if table.encoding or _swapped(table) or len(table.shape) != 2:
            raise ValueError(f"table {name!r} must be raw, little-endian and of two dimensions")
        parts += [_json(htype=htype, shape=table.shape[::-1], type=table.dtype), table.data]
    return parts if appendix is None else [*parts, appendix]


def encode_image(
    series: int,
    frame: int,
    pixels: Pixels,
    *,
    start_time: int = 0,
    stop_time: int = 0,
    real_time: int = 0,
    appendix: Any = None,
) -> list[Any]:
    """An image; times in ns.

    Raises ValueError for pixels that are not of two dimensions or not known to the format
    (``"lz4_hdf5"``, ``"bitshuffle_zstd"``, bool).
    """
    if len(pixels.shape) != 2 or pixels.encoding in {"lz4_hdf5", "bitshuffle_zstd"} or pixels.dtype == "bool":
        raise ValueError(f"{pixels.dtype} {pixels.shape} {pixels.encoding}: no image of this format")
    bits = f"bs{8 * ITEM_SIZE[pixels.dtype]}-" if pixels.encoding == "bitshuffle_lz4" else ""
    encoding = f"{bits}{'lz4' if pixels.encoding else ''}{'>' if _swapped(pixels) else '<'}"
    digest = hashlib.md5(pixels.data, usedforsecurity=False).hexdigest()
    parts = [
        _json(htype=IMAGE, series=series, frame=frame, hash=digest),
        _json(
            htype="dimage_d-1.0",
            shape=pixels.shape[::-1],
            type=pixels.dtype,
            encoding=encoding,
            size=size_of(pixels.data),
        ),
        pixels.data,
        _json(htype="dconfig-1.0", start_time=start_time, stop_time=stop_time, real_time=real_time),
    ]
    return parts if appendix is None else [*parts, appendix]


def encode_end(series: int) -> list[Any]:
    """The end of a series."""
    return [_json(htype=END, series=series)]


def _swapped(pixels: Pixels) -> bool:
    return pixels.big_endian and ITEM_SIZE[pixels.dtype] > 1


def _json(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)
