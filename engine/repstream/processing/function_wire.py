"""What goes between a pipeline and the process of its user's function.

Small messages, and arrays in shared memory. Nothing is unpickled: what the process sends back is numbers,
texts and plain arrays, whatever its script does.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
PAGE = 1 << 20
KINDS, LARGEST_ITEM = "biuf", 8
REQUEST, REPLY = 0, 1
"""The areas: the pipeline writes the one, the process the other."""

Kind = Literal["image", "stream", "custom", "camera"]


class Item(msgspec.Struct, array_like=True):
    """A value: an array in an area, a numpy number (with its `dtype`), or a plain one."""

    value: Any = None
    dtype: str = ""
    shape: tuple[int, ...] | None = None
    offset: int = 0
    area: int = REPLY


Items = dict[str, Item]


class Call(msgspec.Struct, tag="call"):
    """What the function is called with; `view` is the image with its axes, `data` the other channels."""

    pulse_id: int
    timestamp: tuple[int, int]
    view: Items
    data: Items
    parameters: dict[str, Any]
    arrays: Items
    init: bool = False


class Ready(msgspec.Struct, tag="ready"):
    """The script is loaded."""


class Result(msgspec.Struct, tag="result"):
    """What the function returned; None for nothing. `timestamp` and `pulse_id` of one that makes its data."""

    channels: Items | None
    pulse_id: int = 0
    timestamp: tuple[int, int] = (0, 0)


class Failed(msgspec.Struct, tag="failed"):
    """Why there is no result, where in the user's file (0: nowhere), the traceback; and whether it ends."""

    reason: str
    line: int = 0
    where: str = ""
    traceback: str = ""
    ended: bool = False


Reply = Ready | Result | Failed


class Area:
    """Memory of at most `most` bytes that two processes share by a descriptor; it goes with the last."""

    def __init__(self, descriptor: int | None = None, most: int = sys.maxsize) -> None:
        self._most = most
        self.descriptor = os.memfd_create("repstream-function") if descriptor is None else descriptor
        self._map: mmap.mmap | None = None

    def array(self, item: Item) -> NDArray[Any]:
        """An array that was put there; a view of the memory."""
        assert item.shape is not None
        dtype = np.dtype(item.dtype)
        count = int(np.prod(item.shape, dtype=np.int64))
        memory = self._mapped(item.offset + count * dtype.itemsize)
        return np.frombuffer(memory, dtype, count, item.offset).reshape(item.shape)

    def put(self, array: NDArray[Any], offset: int) -> None:
        """Copy an array to an offset."""
        target = np.frombuffer(self._mapped(offset + array.nbytes), array.dtype, array.size, offset)
        np.copyto(target.reshape(array.shape), array)

    def offset_of(self, array: NDArray[Any]) -> int | None:
        """Where an array lies in this memory; None where it does not, or not in one piece."""
        if self._map is None or not array.flags.c_contiguous:
            return None
        begin = np.frombuffer(self._map, np.uint8).ctypes.data
        offset = array.ctypes.data - begin
        return offset if offset >= 0 and offset + array.nbytes <= len(self._map) else None

    def reserve(self, size: int) -> None:
        """Make room for so many bytes. Raises MemoryError where they are more than it may have."""
        if size > self._most:
            raise MemoryError(f"arrays of {size >> 20} MiB are too large")
        if os.fstat(self.descriptor).st_size < size:
            os.ftruncate(self.descriptor, -(-size // PAGE) * PAGE)

    def close(self) -> None:
        """Let go of it; arrays that are views of it keep it until they go."""
        self._map = None
        os.close(self.descriptor)

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            there = os.fstat(self.descriptor).st_size
            if there < size:
                raise ValueError(f"an array ends at byte {size} of a memory of {there}")
            self._map = mmap.mmap(self.descriptor, there)
        return self._map


def pack(values: Mapping[str, Any], area: Area, at: int = 0, other: Area | None = None) -> tuple[Items, int]:
    """Values as items, with arrays copied into `area` from byte `at` on; and the byte after the last of them.

    An array that lies in the `other` area stays there. Raises TypeError for what is no channel's value.
    """
    arrays: list[tuple[NDArray[Any], int]] = []
    items: Items = {}
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError(f"{name!r:.60} is no name of a channel: names are texts")
        try:
            plain = channel_value(value)
        except TypeError as error:
            raise TypeError(f"channel {name!r:.60} {error}") from None
        if not isinstance(plain, np.ndarray):
            is_numpy = isinstance(plain, np.generic)
            items[name] = Item(plain.item(), plain.dtype.str) if is_numpy else Item(plain)
            continue
        there = other.offset_of(plain) if other is not None else None
        if there is not None:
            items[name] = Item(None, plain.dtype.str, plain.shape, there, REQUEST)
            continue
        at = -(-at // ALIGNMENT) * ALIGNMENT
        items[name] = Item(None, plain.dtype.str, plain.shape, at)
        arrays.append((plain, at))
        at += plain.nbytes
    area.reserve(at)
    for array, offset in arrays:
        area.put(array, offset)
    return items, at


def unpack(items: Items, area: Area, other: Area | None = None, copy: bool = False) -> dict[str, Any]:
    """The values of items; arrays are views of the memory, unless they are to be a `copy`."""
    values: dict[str, Any] = {}
    for name, item in items.items():
        if item.shape is None:
            values[name] = np.dtype(item.dtype).type(item.value) if item.dtype else item.value
            continue
        array = (other if other is not None and item.area == REQUEST else area).array(item)
        values[name] = array.copy() if copy else array
    return values


def channel_value(value: Any) -> Any:
    """A value as bsread has it: None, a number, a text, or an array of numbers; TypeError for others."""
    if value is None or isinstance(value, (bool, float, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise TypeError(f"is {value!r:.60}, which does not fit into 64 bits")
        return value
    if isinstance(value, (list, tuple)):
        value = np.asarray(value)
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"is of the type {type(value).__name__}: a number, a text, an array or None is sent")
    if value.dtype.kind not in KINDS or value.dtype.itemsize > LARGEST_ITEM or value.dtype == np.float16:
        raise TypeError(f"has elements of the type {value.dtype}, which bsread does not know")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    return value
