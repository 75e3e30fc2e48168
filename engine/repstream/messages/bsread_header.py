"""The data header of bsread (bsr_d-1.x): which channels a message has, and how their parts are read.

A JSON object, `channels` a list of {`name`, `type` (float64), `shape` fastest dimension first ([1]),
`encoding` "little" or "big", `compression` "none", "lz4" or "bitshuffle_lz4", `modulo`, `offset`}; the
whole may be compressed. Each channel has a value part and a timestamp part: two u64 in the
channel's byte order, seconds and nanoseconds; either may be empty.

Reasons of `MalformedMessage` here: "json", "htype", "field", "parts", "size", "compression", "hash".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Literal

import msgspec
import numpy as np

from repstream.errors import MalformedMessage
from repstream.messages import compression
from repstream.messages.header import MAX_DETAIL, Shape, expect_htype, read_json, size_of
from repstream.messages.pixels import ITEM_SIZE, Pixels, measured

HTYPE = "bsr_d-1.1"

Compression = Literal["none", "lz4", "bitshuffle_lz4"]
Timestamp = tuple[int, int]
"""Seconds since 1970 and nanoseconds."""

_FORMATS = {name: np.dtype(name).char for name in ITEM_SIZE if not name.endswith("64")} | {
    "int64": "q",
    "uint64": "Q",
    "float64": "d",
}
_TIME_BYTES = 16


class Channel(msgspec.Struct, frozen=True, gc=False):
    """What a data header says about one channel.

    `type`: a pixel type, "bool" or "string". `shape`: slowest dimension first, () for a single
    value and for any string. `modulo`, `offset`: the channel comes in pulses with
    pulse_id % modulo == offset; None where nothing is said.
    """

    name: str
    type: str = "float64"
    shape: tuple[int, ...] = ()
    big_endian: bool = False
    compression: Compression = "none"
    modulo: int | None = None
    offset: int | None = None


class _Channel(msgspec.Struct, gc=False):
    name: str
    type: str | None = None
    shape: Shape | None = None
    encoding: Literal["little", "big"] | None = None
    compression: Compression | None = None
    modulo: int | None = None
    offset: int | None = None

    def resolved(self) -> Channel:
        kind = "float64" if self.type is None else self.type.lower()
        if kind != "string" and kind not in ITEM_SIZE:
            raise MalformedMessage("field", f"channel {self.name[:MAX_DETAIL]!r}: unknown type {kind[:20]!r}")
        single = kind == "string" or self.shape in (None, (), (1,))
        return Channel(
            name=self.name,
            type=kind,
            shape=() if single else (self.shape or ())[::-1],
            big_endian=self.encoding == "big",
            compression=self.compression or "none",
            modulo=self.modulo,
            offset=self.offset,
        )


class _DataHeader(msgspec.Struct, gc=False):
    htype: str
    channels: list[_Channel]


_data_header = msgspec.json.Decoder(_DataHeader)


class _Scalars:
    """Uncompressed single values of one byte order: all their parts are unpacked at once."""

    def __init__(self, channels: Sequence[Channel], numbers: Sequence[int], order: str) -> None:
        self.numbers = numbers
        self._take = itemgetter(*(part for i in numbers for part in (2 + 2 * i, 3 + 2 * i)))
        self._sizes = [size for i in numbers for size in (ITEM_SIZE[channels[i].type], _TIME_BYTES)]
        self._struct = struct.Struct(order + "".join(_FORMATS[channels[i].type] + "QQ" for i in numbers))

    def read(self, parts: Sequence[Any]) -> tuple[Any, ...] | None:
        """Value, seconds, nanoseconds, value, …; None where a part is missing or wrong."""
        found = self._take(parts)
        # len() counts the elements of a memoryview, which may be larger than bytes.
        if list(map(len, found)) != self._sizes or len(joined := b"".join(found)) != self._struct.size:
            return None
        return self._struct.unpack(joined)


class DataHeader:
    """The channels of a message and how to read them, made once for many messages.

    `raw`: the part as sent. `matches`: whether the main header's hash is the MD5 of it.
    """

    def __init__(self, raw: bytes, channels: Sequence[Channel], matches: bool) -> None:
        self.raw = raw
        self.channels = tuple(channels)
        self.matches = matches
        self.index = {channel.name: i for i, channel in enumerate(channels)}
        if len(self.index) != len(channels):
            raise MalformedMessage("field", "two channels of one name")
        single = [i for i, c in enumerate(channels) if _is_plain_scalar(c)]
        self._scalars = [
            _Scalars(channels, numbers, order)
            for order in "<>"
            if (numbers := [i for i in single if channels[i].big_endian == (order == ">")])
        ]
        plain = set(single)
        self._others = [i for i in range(len(channels)) if i not in plain]

    def read(self, parts: Sequence[Any]) -> tuple[list[Any], list[Timestamp | None]]:
        """All values and timestamps of a message, in the order of `channels`.

        Raises `MalformedMessage` with one of the reasons above.
        """
        values: list[Any] = [None] * len(self.channels)
        times: list[Timestamp | None] = [None] * len(self.channels)
        for i in [*self._read_scalars(parts, values, times), *self._others]:
            values[i], times[i] = self.read_one(i, parts)
        return values, times

    def numbers(self, parts: Sequence[Any]) -> dict[str, int | float | bool]:
        """The channels that hold a single number, by name; one that cannot be read is left out."""
        values: list[Any] = [None] * len(self.channels)
        left = self._read_scalars(parts, values, [None] * len(self.channels))
        for i in [*left, *(i for i in self._others if _is_number(self.channels[i]))]:
            try:
                values[i], _ = self.read_one(i, parts)
            except MalformedMessage:
                continue
        return {
            channel.name: value
            for channel, value in zip(self.channels, values, strict=True)
            if value is not None
        }

    def _read_scalars(
        self, parts: Sequence[Any], values: list[Any], times: list[Timestamp | None]
    ) -> list[int]:
        """Fill in what can be unpacked at once; gives the scalars that are left."""
        left: list[int] = []
        for scalars in self._scalars:
            flat = scalars.read(parts)
            if flat is None:
                left += scalars.numbers
                continue
            stamps = zip(flat[1::3], flat[2::3], strict=True)
            for i, value, stamp in zip(scalars.numbers, flat[::3], stamps, strict=True):
                values[i] = value
                times[i] = stamp
        return left

    def read_one(self, i: int, parts: Sequence[Any]) -> tuple[Any, Timestamp | None]:
        """Value and timestamp of channel `i`. Raises as `read`."""
        channel, value, stamp = self.channels[i], parts[2 + 2 * i], parts[3 + 2 * i]
        if not _has_value(channel, value, stamp):
            return None, None
        return _read_value(channel, value), _read_time(channel, stamp)

    def pixels(self, i: int, parts: Sequence[Any]) -> Pixels | None:
        """The value of channel `i` as it came, None if there is none. Raises as `read`."""
        channel, value, stamp = self.channels[i], parts[2 + 2 * i], parts[3 + 2 * i]
        if not _has_value(channel, value, stamp):
            return None
        _read_time(channel, stamp)
        return _read_pixels(channel, value)


def parse(part: Any, packing: str, matches: bool) -> DataHeader:
    """A data header; `packing` is its compression. Raises `MalformedMessage` as above."""
    raw = bytes(part)
    found = read_json(_data_header, raw if packing == "none" else unpack_text(raw, packing, False))
    expect_htype(found.htype, "bsr_d-1.")
    return DataHeader(raw, [channel.resolved() for channel in found.channels], matches)


def unpack_text(data: Any, packing: str, big_endian: bool) -> bytes:
    """Bytes whose length only the prefix gives, limited to what LZ4 can reach."""
    if packing == "bitshuffle_lz4":
        return bytes(compression.decompress(data, packing, compression.promised_size(data, packing), 1))
    failed = MalformedMessage("compression", "less than the prefix of 4 bytes")
    for nbytes in _lz4_sizes(data, big_endian):
        try:
            return bytes(compression.decompress(memoryview(data)[4:], "lz4", nbytes, 1))
        except MalformedMessage as error:
            failed = error
    raise failed


def _lz4_sizes(data: Any, big_endian: bool) -> list[int]:
    """Both readings of the prefix, the channel's own byte order first: senders differ."""
    if size_of(data) < 4:
        return []
    prefix = bytes(memoryview(data)[:4])
    return [struct.unpack(order + "I", prefix)[0] for order in ("><" if big_endian else "<>")]


def _has_value(channel: Channel, value: Any, stamp: Any) -> bool:
    # An empty string looks like no value, and comes with a timestamp.
    if not size_of(value) and size_of(stamp) and channel.type != "string":
        raise MalformedMessage("size", f"{_named(channel)}: a timestamp without a value")
    return size_of(value) > 0


def _read_value(channel: Channel, value: Any) -> Any:
    if channel.type == "string":
        packing = channel.compression
        text = bytes(value) if packing == "none" else unpack_text(value, packing, channel.big_endian)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage("field", f"{_named(channel)}: {error}"[:MAX_DETAIL]) from None
    array = _read_pixels(channel, value).array()
    return array if channel.shape else array.item()


def _read_pixels(channel: Channel, value: Any) -> Pixels:
    shape, kind, big_endian = channel.shape, channel.type, channel.big_endian
    if channel.compression == "none":
        return measured(shape, kind, big_endian, "", value)
    if channel.compression == "bitshuffle_lz4":
        return measured(shape, kind, big_endian, "bitshuffle_lz4", value)
    expected = math.prod(shape) * ITEM_SIZE[kind]
    if expected not in _lz4_sizes(value, big_endian):
        raise MalformedMessage(
            "compression", f"{_named(channel)}: no prefix of LZ4 that says {expected} bytes"
        )
    return measured(shape, kind, big_endian, "lz4", memoryview(value)[4:])


def _read_time(channel: Channel, stamp: Any) -> Timestamp | None:
    if not size_of(stamp):
        return None
    if size_of(stamp) != _TIME_BYTES:
        raise MalformedMessage("size", f"{_named(channel)}: a timestamp of {size_of(stamp)} bytes")
    seconds, nanoseconds = struct.unpack(">QQ" if channel.big_endian else "<QQ", stamp)
    return seconds, nanoseconds


def _is_number(channel: Channel) -> bool:
    return not channel.shape and channel.type != "string"


def _is_plain_scalar(channel: Channel) -> bool:
    return _is_number(channel) and channel.compression == "none"


def _named(channel: Channel) -> str:
    return f"channel {channel.name[:MAX_DETAIL]!r}"
