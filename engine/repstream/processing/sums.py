"""Sums of pixels that cannot overflow.

Integers of up to 32 bits are added in 64 bits, which holds 2^32 pixels. 64-bit integers are taken apart
into halves of 32 bits, whose sums have the same room, and put together as Python integers, which have no
limit. Floating-point numbers are added in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF = 32
_LOW = 2**HALF - 1

STRIP_BYTES = 512 << 10


def total(image: NDArray[Any]) -> int | float:
    """The sum of an array of any shape: an exact `int` for integers and bool, a `float` for others."""
    if image.dtype.kind == "f":
        return float(image.sum(dtype=np.float64))
    if not is_long(image.dtype):
        return int(image.sum(dtype=wide(image.dtype)))
    high, low = halves(image)
    return (int(high.sum()) << HALF) + int(low.sum())


def profiles(
    image: NDArray[Any], level: Any = None, bad: NDArray[np.bool_] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The sums of each row and of each column of a two-dimensional array, exact for integers.

    With a `level`, of the type of the image, only what a pixel has beyond it is added, nothing for one
    below it or one that is `bad`.

    int64 or uint64 (this with a `level`) for integers of up to 32 bits, Python integers (dtype object)
    for those of 64 bits, float64 for floating-point numbers.
    """
    height, width = image.shape
    added_as = wide(image.dtype)
    if is_long(image.dtype):
        added_as = np.dtype(object)
    elif image.dtype.kind == "i" and level is not None:
        added_as = np.dtype(np.uint64)
    rows, columns = np.zeros(height, added_as), np.zeros(width, added_as)
    # Strip by strip, so that what is computed on the way stays in the processor's cache.
    lines = max(1, min(STRIP_BYTES // max(width * 4, 1), 1 << 16))
    for first in range(0, height, lines):
        place = slice(first, first + lines)
        strip = image[place]
        if level is not None:
            strip = _beyond(strip, level, None if bad is None else bad[place])
        rows[place], added = _sums(strip)
        columns += added
    return rows, columns


def int64_profiles(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same of an image of integers or bool as int64; sums that do not fit wrap around."""
    if is_long(image.dtype):
        return image.sum(axis=1, dtype=np.int64), image.sum(axis=0, dtype=np.int64)
    rows, columns = profiles(image)
    return rows.astype(np.int64, copy=False), columns.astype(np.int64, copy=False)


def _beyond(strip: NDArray[Any], level: Any, bad: NDArray[np.bool_] | None) -> NDArray[Any]:
    higher: NDArray[Any] = np.maximum(strip, level)
    if bad is not None and level < 0:
        np.putmask(higher, bad, level)
    higher -= level
    # The difference of two signed numbers may need the bit of the sign: without sign it is right.
    if strip.dtype.kind == "i":
        higher = higher.view(f"u{strip.dtype.itemsize}")
    return higher


def _sums(strip: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if not is_long(strip.dtype):
        return _added(strip)
    (high_rows, high_columns), (rows, columns) = (_added(half) for half in halves(strip))
    return _joined(high_rows, rows), _joined(high_columns, columns)


def _added(strip: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    # 32 bits hold 65,536 pixels of 16 bits, and are added twice as fast.
    narrow = strip.dtype.kind in "iu" and strip.dtype.itemsize <= 2 and max(strip.shape) <= 1 << 16
    dtype = np.dtype(f"{strip.dtype.kind}4") if narrow else wide(strip.dtype)
    wider = strip.astype(dtype, copy=False)
    return wider.sum(axis=1, dtype=dtype), wider.sum(axis=0, dtype=dtype)


def _joined(high: NDArray[Any], low: NDArray[Any]) -> NDArray[Any]:
    joined: NDArray[Any] = (high.astype(object) << HALF) + low.astype(object)
    return joined


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of 64 bits in which `dtype` is added up."""
    return np.dtype({"u": np.uint64, "b": np.uint64, "i": np.int64, "f": np.float64}[dtype.kind])


def is_long(dtype: np.dtype[Any]) -> bool:
    """Whether these are integers whose sums do not fit into 64 bits."""
    return dtype.kind in "iu" and dtype.itemsize == 8


def halves(image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """64-bit integers as ``high * 2^32 + low``, in their type; `high` has the sign, `low` has none."""
    return image >> image.dtype.type(HALF), image & image.dtype.type(_LOW)
