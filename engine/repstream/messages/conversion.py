"""One image in another format, whatever its own: array-1.0, or bsread with its numbers as channels.

Pixels that are as they have to be are not copied; all others are packed or unpacked, which takes far longer
than the headers. So each format says at once whether it needs that (`payload`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, bsread
from repstream.messages.bsread_header import Channel, Compression
from repstream.messages.formats import attributes
from repstream.messages.frame import OWN_NAME, TIME_NAMES, Frame, source_time
from repstream.messages.header import MAX_ID, header_of, size_of
from repstream.messages.pixels import ITEM_SIZE, array_of, packed

ALL = "*"
"""Stands for all numbers that come with an image."""

Number = int | float | bool

_NOT_IN_BSREAD = "float16"

_PACKERS: Mapping[str, Callable[[Any], bytes]] = {
    "int64": struct.Struct("<q").pack,
    "uint64": struct.Struct("<Q").pack,
    "float64": struct.Struct("<d").pack,
    "bool": struct.Struct("<?").pack,
}
_STAMPS = {True: struct.Struct(">QQ").pack, False: struct.Struct("<QQ").pack}


Fill = Callable[[npt.NDArray[np.uint8]], int]
"""Writes into memory, and says how many bytes."""

Memory = Callable[[int, Fill], Any]
"""Has memory of at least so many bytes filled; what was written, as a part of a message."""


def new_memory(nbytes: int, fill: Fill) -> Any:
    """`Memory` that is used once."""
    memory = np.empty(nbytes, np.uint8)
    return memory[: fill(memory)].data


class Format(Protocol):
    """Another format for images. Raises `MalformedMessage` for one that it cannot carry."""

    def payload(self, frame: Frame) -> Any | None:
        """The pixels of `frame` where they are already as they go out, else None."""

    def packed(self, frame: Frame, memory: Memory) -> Any:
        """The pixels of `frame` as they go out, packed (into `memory`) or unpacked."""

    def parts(self, frame: Frame, payload: Any) -> Sequence[Any]:
        """The message of an image whose pixels are `payload`."""


class Array:
    """array-1.0 with raw pixels; the numbers of the image are its `image_attributes`."""

    def payload(self, frame: Frame) -> Any | None:
        _check_single(frame)
        return None if frame.encoding else frame.payloads[0]

    def packed(self, frame: Frame, memory: Memory) -> Any:
        return packed(array_of(frame)).data

    def parts(self, frame: Frame, payload: Any) -> Sequence[Any]:
        if frame.format == array_1_0.HTYPE:
            return frame.parts
        header: dict[str, Any] = {
            "htype": array_1_0.HTYPE,
            "shape": frame.shape,
            "type": frame.dtype,
            "frame": frame.frame_id,
            "endianness": "big" if frame.big_endian else "little",
        }
        if numbers := attributes(frame):
            header["image_attributes"] = numbers
        return [msgspec.json.encode(header), payload]


class Bsread:
    """bsread with the image in one channel.

    `channel` names it; ``""`` stands for the name that an image comes with (the channel it was in, or
    `frame.OWN_NAME`), else `bsread.IMAGE`. `compression` is that of the image. `pulse_id` names the
    attribute that numbers the pulses, ``""`` stands for the frame id. `channels`: attributes that are
    channels too, each with its type, or `ALL` of them as they come. The time of a pulse is that of the
    source where it says one (`frame.TIME_NAMES`), else when the image arrived.
    """

    def __init__(
        self,
        channel: str = bsread.IMAGE,
        compression: Compression = "none",
        pulse_id: str = "",
        channels: Sequence[tuple[str, str]] | str = ALL,
    ) -> None:
        self._channel = channel
        self._compression = compression
        self._pulse_id = pulse_id
        self._all = channels == ALL
        self._declared = () if isinstance(channels, str) else tuple(channels)
        self._reads = bool(self._all or self._declared or pulse_id)
        self._known: tuple[Any, tuple[bytes, str]] = ((), (b"", ""))

    def payload(self, frame: Frame) -> Any | None:
        _check_single(frame)
        if frame.dtype == _NOT_IN_BSREAD:
            raise MalformedMessage("format", f"bsread has no {frame.dtype}")
        wanted = "" if self._compression == "none" else self._compression
        return frame.payloads[0] if frame.encoding == wanted else None

    def packed(self, frame: Frame, memory: Memory) -> Any:
        pixels = packed(array_of(frame)).data if frame.encoding else frame.payloads[0]
        if self._compression == "none":
            return pixels
        packing, itemsize, big_endian = self._compression, ITEM_SIZE[frame.dtype], frame.big_endian
        return memory(
            bsread.packed_bound(size_of(pixels), itemsize, packing),
            lambda target: bsread.pack_into(target, pixels, itemsize, packing, big_endian),
        )

    def parts(self, frame: Frame, payload: Any) -> Sequence[Any]:
        # bsread and DECTRIS have numbers beside the header, array-1.0 often; a time stands there, too.
        beside = self._reads or not frame.attributes_in_header
        numbers = attributes(frame) if beside else {}
        time = source_time(numbers) or (int(frame.arrived), int(frame.arrived % 1 * 1e9))
        channel = self._channel or _own_name(frame)
        chosen = self._chosen(numbers, channel)
        others = tuple((name, kind) for name, kind, _ in chosen)
        layout = (channel, frame.dtype, frame.shape, frame.big_endian, others)
        if self._known[0] != layout:
            self._known = layout, self._data_header(layout)
        header, digest = self._known[1]
        main = {
            "htype": bsread.HTYPE,
            "pulse_id": self._pulse(frame, numbers),
            "hash": digest,
            "global_timestamp": {"sec": time[0], "ns": time[1]},
        }
        parts = [msgspec.json.encode(main), header, payload, _STAMPS[frame.big_endian](*time)]
        stamp = _STAMPS[False](*time)
        for _, _, value in chosen:
            parts += (value, stamp if value else b"")
        return parts

    def _chosen(self, numbers: Mapping[str, Number], image: str) -> list[tuple[str, str, bytes]]:
        """The channels beside the image: name, type, value; empty for one that has no value in this pulse."""
        if not self._all:
            declared = ((name, kind) for name, kind in self._declared if name != image)
            return [(name, kind, _packed(kind, numbers.get(name))) for name, kind in declared]
        return [
            (name, kind := _kind(value), _PACKERS[kind](value))
            for name, value in numbers.items()
            if name != image and name not in TIME_NAMES
        ]

    def _data_header(self, layout: tuple[Any, ...]) -> tuple[bytes, str]:
        channel, dtype, shape, big_endian, others = layout
        image = Channel(channel, dtype, shape, big_endian, self._compression)
        return bsread.data_header((image, *(Channel(name, kind) for name, kind in others)), "none")

    def _pulse(self, frame: Frame, numbers: Mapping[str, Number]) -> int:
        if not self._pulse_id:
            return frame.frame_id
        found = numbers.get(self._pulse_id)
        if not isinstance(found, int) or not 0 <= found <= MAX_ID:
            raise MalformedMessage("pulse_id", f"attribute {self._pulse_id!r} is {found!r}, no pulse id")
        return int(found)


def _check_single(frame: Frame) -> None:
    if len(frame.payloads) != 1 and not frame.channels:
        raise MalformedMessage("parts", f"{len(frame.payloads)} images in one message")
    if frame.payloads[0] is None:
        raise MalformedMessage("parts", f"the image of {frame.channels[0]} did not come")


def _own_name(frame: Frame) -> str:
    """The name that an image comes with, else `bsread.IMAGE`."""
    if frame.attributes_in_header:
        return array_1_0.text(header_of(frame.parts), OWN_NAME) or bsread.IMAGE
    return frame.name or next(iter(frame.channels), bsread.IMAGE)


def _kind(value: Number) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "uint64" if value >= 2**63 else "int64"
    return "float64"


def _packed(kind: str, value: Number | None) -> bytes:
    """A value as its channel has it; empty where there is none that fits."""
    if value is None:
        return b""
    if kind in ("int64", "uint64") and value == int(value):
        value = int(value)
    try:
        return _PACKERS[kind](value)
    except (struct.error, OverflowError):
        return b""
