"""Pixels as they came over the wire, measured and not yet touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from repstream.errors import MalformedMessage
from repstream.messages import compression
from repstream.messages.frame import PIXEL_TYPES, Frame, StoredEncoding, image_shape
from repstream.messages.header import size_of

ITEM_SIZE: Mapping[str, int] = {name: np.dtype(name).itemsize for name in (*PIXEL_TYPES, "bool")}

Encoding = Literal["", "lz4", "lz4_hdf5", "bitshuffle_lz4", "bitshuffle_zstd"]


_STORED: Mapping[Encoding, StoredEncoding] = {
    "bitshuffle_lz4": "bitshuffle_lz4",
    "bitshuffle_zstd": "bitshuffle_zstd",
}
"""What a file takes as it came; others are unpacked for it."""


class Pixels(msgspec.Struct, frozen=True, gc=False):
    """One array of a message: `data` holds exactly what the other fields say (`measured`).

    `shape`: slowest dimension first. `dtype`: numpy name without byte order. `encoding`: ``""``
    for raw pixels in C order, else a layout of `compression`. `data`: a buffer, not copied.
    """

    shape: tuple[int, ...]
    dtype: str
    big_endian: bool
    encoding: Encoding
    data: Any

    def raw(self) -> Any:
        """The pixels in C order as a buffer; `MalformedMessage` ("compression") for a damaged block."""
        if not self.encoding:
            return self.data
        itemsize = ITEM_SIZE[self.dtype]
        return compression.decompress(self.data, self.encoding, math.prod(self.shape) * itemsize, itemsize)

    def array(self) -> npt.NDArray[Any]:
        """The pixels in their own byte order, read-only; raw ones are not copied.

        Raises `MalformedMessage` ("compression") for a damaged block.
        """
        dtype = np.dtype(self.dtype).newbyteorder(">" if self.big_endian else "<")
        if self.dtype == "bool":
            # Bytes other than 0 and 1 are true too, but must not reach an array of bool.
            flat: npt.NDArray[Any] = np.frombuffer(self.raw(), np.uint8) != 0
        else:
            flat = np.frombuffer(self.raw(), dtype)
        array = flat.reshape(self.shape)
        array.flags.writeable = False
        return array

    def frame(
        self,
        frame_id: int,
        parts: Sequence[Any],
        format: str,
        attributes: Callable[[], Mapping[str, int | float | bool]],
        name: str = "",
    ) -> Frame:
        """These pixels as the one image of a frame, called `name`.

        What HDF5 filter 32008 takes stays as it came, LZ4 alone is unpacked: damage in it
        shows here, and nobody downstream meets a third encoding.
        """
        stored = _STORED.get(self.encoding, "")
        payload = self.data if stored == self.encoding else self.raw()
        unpacked = 0 if stored == self.encoding else len(payload)
        return Frame(
            frame_id=frame_id,
            shape=image_shape(self.shape),
            # HDF5 knows truth values as an enumeration of bytes only.
            dtype="uint8" if self.dtype == "bool" else self.dtype,
            big_endian=self.big_endian,
            encoding=stored,
            parts=parts,
            payloads=[payload],
            nbytes=sum(map(size_of, parts)) + unpacked,
            format=format,
            name=name,
            read_attributes=attributes,
            unpacked=unpacked,
        )


def joined(
    images: Mapping[str, Pixels | None],
    frame_id: int,
    parts: Sequence[Any],
    format: str,
    attributes: Callable[[], Mapping[str, int | float | bool]],
) -> Frame | None:
    """The images of several channels as one frame; None stands for one that did not come.

    No frame where none came, or where they differ in shape, type, byte order or encoding. Raises as
    `Pixels.frame`.
    """
    frames = {
        name: pixels.frame(frame_id, parts, format, attributes)
        for name, pixels in images.items()
        if pixels is not None
    }
    if len({(f.shape, f.dtype, f.big_endian, f.encoding) for f in frames.values()}) != 1:
        return None
    first = next(iter(frames.values()))
    unpacked = sum(f.unpacked for f in frames.values())
    return msgspec.structs.replace(
        first,
        payloads=[frames[name].payloads[0] if name in frames else None for name in images],
        channels=tuple(images),
        unpacked=unpacked,
        nbytes=first.nbytes - first.unpacked + unpacked,
    )


def measured(shape: tuple[int, ...], dtype: str, big_endian: bool, encoding: Encoding, data: Any) -> Pixels:
    """`Pixels` whose data were measured, compressed ones walked.

    Raises `MalformedMessage`: "size" where the length of raw data is not that of the shape,
    "compression" as in `compression.check`.
    """
    itemsize = ITEM_SIZE[dtype]
    nbytes = math.prod(shape) * itemsize
    if encoding:
        compression.check(data, encoding, nbytes, itemsize)
    elif size_of(data) != nbytes:
        raise MalformedMessage("size", f"{size_of(data)} bytes, {dtype} {shape} takes {nbytes}")
    return Pixels(shape, dtype, big_endian, encoding, data)


def packed(array: npt.NDArray[Any], encoding: Encoding = "") -> Pixels:
    """An array ready to be sent; not copied where it is contiguous and `encoding` is ``""``.

    Raises ValueError for a type outside `PIXEL_TYPES` and bool, an array without elements, or
    an encoding that is only read (``"lz4_hdf5"``).
    """
    name = name_of(array.dtype)
    if name not in ITEM_SIZE:
        raise ValueError(f"{array.dtype} is none of the types {', '.join(ITEM_SIZE)}")
    if array.size == 0:
        raise ValueError(f"an array of shape {array.shape} has no elements")
    data: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    if encoding:
        data = compression.compress(data, array.dtype.itemsize, encoding)
    return Pixels(array.shape, name, is_big_endian(array.dtype), encoding, data)


@lru_cache(maxsize=64)
def name_of(dtype: np.dtype[Any]) -> str:
    """`dtype.name`, which numpy puts together in 5 µs each time."""
    return dtype.name


@lru_cache(maxsize=64)
def is_big_endian(dtype: np.dtype[Any]) -> bool:
    """Whether values of this type lie with the most significant byte first."""
    return dtype.newbyteorder("<") != dtype


def array_of(frame: Frame, i: int = 0) -> npt.NDArray[Any]:
    """The i-th image of a frame in its own byte order, read-only; raw pixels are not copied.

    Raises `MalformedMessage` ("compression") for a damaged block, ("parts") for a channel that did not come.
    """
    if frame.payloads[i] is None:
        raise MalformedMessage("parts", f"the image of {frame.channels[i]} did not come")
    return measured(frame.shape, frame.dtype, frame.big_endian, frame.encoding, frame.payloads[i]).array()
