"""A frame: one image as it came over the wire, with what routing needs decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from repstream.parameters.pixel_types import PixelType as PixelType

ARRAY = "array-1.0"
"""The format that nearly every frame has."""

TIME_NAMES = ("global_timestamp_sec", "global_timestamp_ns")
"""Names that the source's own time has among the attributes of an image: Unix seconds, and ns within it."""

OWN_NAME = "bsread_name"
"""Name that the image's own name has among its attributes, as the PCO cameras of a standard DAQ send one."""


def source_time(numbers: Mapping[str, int | float | bool]) -> tuple[int, int] | None:
    """Unix seconds, and nanoseconds within them, where the source says them among the numbers of an image."""
    seconds, nanoseconds = (numbers.get(name) for name in TIME_NAMES)
    if not isinstance(seconds, int) or not isinstance(nanoseconds or 0, int) or seconds <= 0:
        return None
    return seconds, max(int(nanoseconds or 0), 0)


PIXEL_TYPES: tuple[str, ...] = get_args(PixelType)


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` without sizes of 1 where that leaves an image: ``(1, 4, 5)`` is one of ``(4, 5)``."""
    extra = len(shape) - 2
    if extra <= 0 or sum(size != 1 for size in shape) > 2:
        return shape
    found = []
    for size in shape:
        if size == 1 and extra > 0:
            extra -= 1
        else:
            found.append(size)
    return tuple(found)


StoredEncoding = Literal["", "bitshuffle_lz4", "bitshuffle_zstd"]
"""Encodings of pixels that go into a file as they came."""


UNLIKE = "channels that differ in shape or type"
"""What a message is whose channels make no frame."""


class NoImage(msgspec.Struct, gc=False):
    """A good message without an image for us. `why`: what it is instead, one of a few fixed words."""

    why: str
    parts: Sequence[Any]


class Frame(msgspec.Struct, gc=False):
    """One image of a stream.

    `frame_id`: the source's number of the image, 0 … 2^64-1.
    `shape`: slowest dimension first, (height, width) for an image.
    `dtype`: numpy name of the pixel type without byte order, such as ``"uint16"``.
    `big_endian`: byte order of the pixels on the wire.
    `encoding`: ``""`` for raw pixels, ``"bitshuffle_lz4"`` or ``"bitshuffle_zstd"`` for the layout of HDF5
    filter 32008 (12-byte prefix included), so that such a payload may become a chunk unchanged.
    `parts`: the message's parts as received, header first, untouched and not copied
    (`zmq.Frame`, `bytes` or anything else with the buffer protocol).
    `payloads`: the buffers that hold pixels, one an image; usually one.
    `name`: that of the image, where its format gives it one (its channel).
    `channels`: where the image was taken in several (a detector's thresholds), their names: then `payloads`
    has one for each, None for one that did not come, and the other fields are those of all.
    `nbytes`: bytes held: the sizes of `parts`, and of payloads that had to be unpacked.
    `unpacked`: those of the latter alone.
    `arrived`: when it came, in Unix seconds; 0 where nobody said.
    `format`: the `htype` of the format, or what stands for it.
    `read_attributes`: gives the numeric attributes that came with the image, by name, where they are
    not in its header (`formats.attributes` gives them for every frame).
    """

    frame_id: int
    shape: tuple[int, ...]
    dtype: str
    big_endian: bool
    encoding: StoredEncoding
    parts: Sequence[Any]
    payloads: Sequence[Any]
    nbytes: int
    format: str = ARRAY
    read_attributes: Callable[[], Mapping[str, int | float | bool]] = dict
    unpacked: int = 0
    arrived: float = 0.0
    channels: tuple[str, ...] = ()
    name: str = ""

    @property
    def attributes_in_header(self) -> bool:
        """Whether the first part is a JSON header whose fields are the attributes (`AttributeReader`)."""
        return self.format == ARRAY
