"""bsread: bsr_m-1.x, one message a pulse with any number of channels.

Parts: main header, data header (`bsread_header`), then a value and a timestamp for each channel. Main
header: `htype`, `pulse_id`, `hash` (MD5 hex of the data header as sent), `global_timestamp` {"sec" or
"epoch", "ns"}, `dh_compression`. A sender may leave the data header out where the receiver knows
it by its hash; `Memory` is what the receiver remembers.

Reasons of `MalformedMessage` here: "json", "htype", "field", "parts", "size", "compression", and
"hash" (a data header left out and never seen, or not the one that its hash stands for).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import bsread_header, compression
from repstream.messages.bsread_header import Channel, Compression, DataHeader, Timestamp
from repstream.messages.frame import TIME_NAMES, UNLIKE, Frame, NoImage, image_shape
from repstream.messages.header import (
    MAX_DETAIL,
    Id,
    check_id,
    count_parts,
    expect_htype,
    header_of,
    read_json,
    size_of,
)
from repstream.messages.pixels import ITEM_SIZE, is_big_endian, joined, name_of, packed

HTYPE = "bsr_m-1.1"

IMAGE = "image"
"""The channel of an image that has no name of its own."""

WITHOUT_IMAGE = "bsread pulse"
WITHOUT_CHANNEL = "bsread pulse without the channel"
NO_CHANNEL_CHOSEN = "bsread pulse with several images"
"""What a pulse is that gives no frame."""

_REMEMBERED = 16
_LZ4_PREFIX = 4

_TAKEN_BY = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}
"""Kinds of Python values that a channel of this kind takes."""

_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Time(msgspec.Struct, gc=False):
    sec: _Whole | None = None
    epoch: _Whole | None = None
    ns: _Whole = 0


class _Main(msgspec.Struct, gc=False):
    htype: str
    pulse_id: Id
    hash: str
    global_timestamp: _Time | None = None
    dh_compression: Compression | None = None


_main = msgspec.json.Decoder(_Main)


class Memory:
    """The data headers that a receiver has seen last, by hash. One for each stream."""

    def __init__(self) -> None:
        self._known: dict[str, DataHeader] = {}

    def find(self, name: str, part: Any, packing: str) -> DataHeader:
        """The data header of a message, parsed only if it is new; `name` is its hash.

        What is in the message counts, even under a hash that is not its own.
        """
        known = self._known.get(name)
        if not size_of(part):
            if known is None:
                raise MalformedMessage("hash", f"no data header, and {name[:MAX_DETAIL]!r} was never seen")
            return known
        if known is not None and known.raw == (part if type(part) is bytes else bytes(part)):
            return known
        matches = hashlib.md5(part, usedforsecurity=False).hexdigest() == name
        header = bsread_header.parse(part, packing, matches)
        self._known.pop(name, None)
        self._known[name] = header
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return header


class Message(msgspec.Struct, gc=False):
    """One pulse. `timestamp`: of the pulse, None where nothing is said.

    `values` and `timestamps` are in the order of `header.channels`, None where there is none. A
    value is a number, a truth value, a text, or a read-only array in the channel's byte order;
    arrays that were not compressed lie in the received part.
    """

    htype: str
    pulse_id: int
    timestamp: Timestamp | None
    header: DataHeader
    values: list[Any]
    timestamps: list[Timestamp | None]
    parts: Sequence[Any]

    def __getitem__(self, name: str) -> Any:
        """The value of a channel. Raises KeyError if there is no such channel."""
        return self.values[self.header.index[name]]


def decode(parts: Sequence[Any], memory: Memory | None = None) -> Message:
    """A message with all its channels. Raises `MalformedMessage` with one of the reasons above."""
    main, timestamp, header = _open(parts, memory)
    values, timestamps = header.read(parts)
    return Message(main.htype, main.pulse_id, timestamp, header, values, timestamps, parts)


def _open(
    parts: Sequence[Any], memory: Memory | None, verify_hash: bool = False
) -> tuple[_Main, Timestamp | None, DataHeader]:
    main = read_json(_main, header_of(parts))
    expect_htype(main.htype, "bsr_m-1.")
    check_id("pulse_id", main.pulse_id)
    timestamp = _timestamp(main)
    if len(parts) < 2:
        raise MalformedMessage("parts", "a main header alone")
    header = (memory or Memory()).find(main.hash, parts[1], main.dh_compression or "none")
    count_parts(parts, 2 + 2 * len(header.channels))
    if verify_hash and not header.matches:
        raise MalformedMessage("hash", f"the data header is not that of {main.hash[:MAX_DETAIL]!r}")
    return main, timestamp, header


def _timestamp(main: _Main) -> Timestamp | None:
    time = main.global_timestamp
    if time is None:
        return None
    seconds = time.epoch if time.sec is None else time.sec
    if seconds is None:
        raise MalformedMessage("field", "global_timestamp has neither sec nor epoch")
    return seconds, time.ns


def frame(
    parts: Sequence[Any], channel: str = "", memory: Memory | None = None, verify_hash: bool = False
) -> Frame | NoImage:
    """The image in a channel as a frame, numbered by the pulse; `NoImage` in a pulse without it.

    ``""`` stands for the only channel of two dimensions. Of a pulse with an image other channels
    are not looked at here; single numbers among them, and the time of the pulse, are the frame's
    attributes. With `verify_hash` the data header must be the one that its hash stands for. Raises
    `MalformedMessage` with one of the reasons above.
    """
    main, timestamp, header = _open(parts, memory, verify_hash)
    found = _image_channel(header, channel)
    pixels = None if isinstance(found, str) else header.pixels(found, parts)
    if isinstance(found, str) or pixels is None:
        header.read(parts)  # whether it is a good message all the same
        return NoImage(found if isinstance(found, str) else WITHOUT_IMAGE, parts)
    numbers, name = partial(_numbers, header, parts, timestamp), header.channels[found].name
    return pixels.frame(main.pulse_id, parts, HTYPE, numbers, name)


def frame_of_all(
    parts: Sequence[Any], channels: Sequence[str], memory: Memory | None = None, verify_hash: bool = False
) -> Frame | NoImage:
    """The images of several channels of a pulse as one frame; else as `frame`.

    `NoImage` where it has none of them, or where they are not alike.
    """
    main, timestamp, header = _open(parts, memory, verify_hash)
    numbers = {name: _image_channel(header, name) for name in channels}
    images = {
        name: None if isinstance(number, str) else header.pixels(number, parts)
        for name, number in numbers.items()
    }
    if not any(images.values()):
        header.read(parts)  # whether it is a good message all the same
        known = any(isinstance(number, int) for number in numbers.values())
        return NoImage(WITHOUT_IMAGE if known else WITHOUT_CHANNEL, parts)
    found = joined(images, main.pulse_id, parts, HTYPE, partial(_numbers, header, parts, timestamp))
    return found or NoImage(UNLIKE, parts)


def _numbers(
    header: DataHeader, parts: Sequence[Any], timestamp: Timestamp | None
) -> dict[str, int | float | bool]:
    time = {} if timestamp is None else dict(zip(TIME_NAMES, timestamp, strict=True))
    return time | header.numbers(parts)


def _image_channel(header: DataHeader, name: str) -> int | str:
    """The number of the channel with the image, or what the message is without one."""
    if name:
        i = header.index.get(name, -1)
        return i if i >= 0 and header.channels[i].shape else WITHOUT_CHANNEL
    images = [i for i, channel in enumerate(header.channels) if len(image_shape(channel.shape)) == 2]
    if len(images) > 1:
        return NO_CHANNEL_CHOSEN
    return images[0] if images else WITHOUT_IMAGE


def describe(name: str, value: Any, packing: Compression = "none") -> Channel:
    """The channel that fits a value: an array, a numpy or Python number, a truth value or a text.

    Whole Python numbers become int64, beyond it uint64. Raises ValueError for other types.
    """
    if isinstance(value, str):
        return Channel(name, "string", compression=packing)
    if isinstance(value, int) and not isinstance(value, bool):
        value = np.uint64(value) if value >= 2**63 else np.int64(value)
    array = np.asarray(value)
    if name_of(array.dtype) not in ITEM_SIZE:
        raise ValueError(f"channel {name!r}: {array.dtype} is none of the types {', '.join(ITEM_SIZE)}")
    shape = () if array.shape == (1,) else array.shape
    return Channel(name, name_of(array.dtype), shape, is_big_endian(array.dtype), packing)


def encode(
    pulse_id: int,
    channels: Sequence[Channel],
    values: Sequence[Any],
    timestamps: Sequence[Timestamp | None] | None = None,
    *,
    timestamp: Timestamp = (0, 0),
    dh_compression: Compression = "none",
    repeat_header: bool = True,
) -> list[Any]:
    """A message; `values` as in `Message`, arrays of the channel's type and shape.

    `timestamps` are those of the channels, None for none; left out, each has that of the pulse.
    Leave the data header out (`repeat_header`) only for receivers that keep it. Arrays are not
    copied where they are contiguous in the channel's byte order and not compressed. An empty text
    arrives as no value. Raises ValueError for a value that its channel cannot hold.
    """
    stamps = [timestamp] * len(channels) if timestamps is None else timestamps
    header, digest = data_header(tuple(channels), dh_compression)
    main: dict[str, Any] = {"htype": HTYPE, "pulse_id": pulse_id, "hash": digest}
    main["global_timestamp"] = {"sec": timestamp[0], "ns": timestamp[1]}
    if dh_compression != "none":
        main["dh_compression"] = dh_compression
    parts: list[Any] = [msgspec.json.encode(main), header if repeat_header else b""]
    for channel, value, stamp in zip(channels, values, stamps, strict=True):
        parts += _channel_parts(channel, value, stamp)
    return parts


@lru_cache(maxsize=64)
def data_header(channels: tuple[Channel, ...], packing: Compression) -> tuple[bytes, str]:
    """The data header of these channels as it is sent, and its hash."""
    described = [
        {
            "name": channel.name,
            "type": channel.type,
            "shape": channel.shape[::-1] or [1],
            "encoding": "big" if channel.big_endian else "little",
            "compression": channel.compression,
        }
        | {k: v for k in ("modulo", "offset") if (v := getattr(channel, k)) is not None}
        for channel in channels
    ]
    text = msgspec.json.encode({"htype": bsread_header.HTYPE, "channels": described})
    header = text if packing == "none" else _pack(text, 1, packing, big_endian=False)
    return header, hashlib.md5(header, usedforsecurity=False).hexdigest()


def packed_bound(nbytes: int, itemsize: int, packing: str) -> int:
    """Bytes that `pack_into` wants for so many bytes of values."""
    return compression.bound(nbytes, itemsize, packing) + (_LZ4_PREFIX if packing == "lz4" else 0)


def pack_into(memory: npt.NDArray[np.uint8], data: Any, itemsize: int, packing: str, big_endian: bool) -> int:
    """Compress values of `itemsize` bytes each as a channel of that byte order has them; how many bytes.

    `memory` is at least of `packed_bound`. Raises ValueError as `compression.compress_into`.
    """
    if packing != "lz4":
        return compression.compress_into(memory, data, itemsize, packing)
    # Readers take the size in the channel's byte order.
    struct.pack_into(">I" if big_endian else "<I", memory.data, 0, size_of(data))
    return _LZ4_PREFIX + compression.compress_into(memory[_LZ4_PREFIX:], data, itemsize, packing)


def _pack(data: Any, itemsize: int, packing: Compression, big_endian: bool) -> bytes:
    memory = np.empty(packed_bound(size_of(data), itemsize, packing), np.uint8)
    return memory[: pack_into(memory, data, itemsize, packing, big_endian)].tobytes()


def _channel_parts(channel: Channel, value: Any, stamp: Timestamp | None) -> tuple[Any, bytes]:
    if value is None:
        return b"", b""
    data, itemsize = _value_bytes(channel, value)
    if channel.compression != "none" and size_of(data):
        data = _pack(data, itemsize, channel.compression, channel.big_endian)
    if stamp is None:
        return data, b""
    try:
        return data, struct.pack(">QQ" if channel.big_endian else "<QQ", *stamp)
    except struct.error as error:
        raise ValueError(f"channel {channel.name!r}: timestamp {stamp}: {error}") from None


def _value_bytes(channel: Channel, value: Any) -> tuple[Any, int]:
    if channel.type == "string":
        if not isinstance(value, str):
            raise ValueError(f"channel {channel.name!r}: {type(value).__name__} instead of a text")
        return value.encode(), 1
    array = _array(channel, value)
    if array.size != math.prod(channel.shape) or (channel.shape and array.shape != channel.shape):
        raise ValueError(f"channel {channel.name!r}: shape {array.shape} instead of {channel.shape}")
    if array.size == 1:
        return array.tobytes(), array.dtype.itemsize
    return packed(array).data, array.dtype.itemsize


@lru_cache(maxsize=64)
def _dtype(name: str, big_endian: bool) -> np.dtype[Any]:
    return np.dtype(name).newbyteorder(">" if big_endian else "<")


def _array(channel: Channel, value: Any) -> np.ndarray[Any, Any]:
    dtype = _dtype(channel.type, channel.big_endian)
    plain = np.asarray(value)
    typed = isinstance(value, np.ndarray | np.generic)
    if name_of(plain.dtype) != channel.type if typed else plain.dtype.kind not in _TAKEN_BY[dtype.kind]:
        raise ValueError(f"channel {channel.name!r}: {plain.dtype} instead of {channel.type}")
    try:
        return np.asarray(value, dtype)
    except OverflowError as error:
        raise ValueError(f"channel {channel.name!r}: {error}") from None
