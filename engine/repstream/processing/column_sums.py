"""Sums of an image's pixels along its axes, compiled. Needs numba (extra ``numba``).

Each call goes once through the pixels, without Python's lock. Parts of an image are given by where they
begin, since the lines of a view do not follow each other: one that does not is added many times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing.levenberg import compiled
from repstream.processing.regions import Slices

Array = NDArray[Any]

Corner = tuple[int, int]
"""The first row and column of a part."""

DTYPES = ("u1", "u2")
"""Pixels of cameras. Others are added by numpy: each type would have to be compiled."""

LINES = 1 << 12
"""So many pixels of 16 bits, as often as there are columns, cannot overflow the 32 bits they are added in."""

WIDEST = 1 << 16


def profiles(image: Array, part: Slices) -> tuple[Array, Array, np.generic, np.generic] | None:
    """The sums of the rows and of the columns of a part, int64; its least and its greatest pixel.

    None for an image of another type than `DTYPES`, and for a very wide one.
    """
    if not _is_known(image):
        return None
    rows, columns = (np.empty(each.stop - each.start, np.int64) for each in part)
    found = np.empty(2, np.int64)
    _add(constant(image), (part[0].start, part[1].start), rows, columns, found)
    kind = image.dtype.type
    return rows, columns, kind(found[0]), kind(found[1])


def across(image: Array, part: Slices, number: int, columns: bool) -> Array | None:
    """The sums of the lines of a part, taken together to `number` groups of equal size: a row for each.

    Lines are `columns`, else rows. None as in `profiles`.
    """
    if not _is_known(image) or image.shape[0] > WIDEST:
        return None
    height, width = (each.stop - each.start for each in part)
    sums = np.empty((number, height if columns else width), np.int64)
    add, lines = (_add_columns, width) if columns else (_add_rows, height)
    add(constant(image), (part[0].start, part[1].start), lines // number, sums)
    return sums


def constant(array: Array) -> Array:
    """The array in one piece and read-only, as received ones are: numba compiles for each kind anew."""
    whole = np.ascontiguousarray(array)
    if whole.flags.writeable:
        whole = whole.view()
        whole.flags.writeable = False
    return whole


def _is_known(image: Array) -> bool:
    return image.dtype.str[1:] in DTYPES and image.dtype.isnative and image.shape[1] <= WIDEST


@compiled
def _add(image: Array, corner: Corner, rows: Array, columns: Array, extremes: Array) -> None:
    top, left = corner
    height, width = len(rows), len(columns)
    narrow = np.empty(width, np.uint32)
    columns[:] = 0
    least = most = image[top, left]
    for first in range(0, height, LINES):
        narrow[:] = 0
        for i in range(first, min(first + LINES, height)):
            line = image[top + i, left : left + width]
            added = np.uint32(0)
            for j in range(width):
                value = np.uint32(line[j])
                added += value
                narrow[j] += value
            rows[i] = added
            for j in range(width):
                least = min(least, line[j])
                most = max(most, line[j])
        for j in range(width):
            columns[j] += narrow[j]
    extremes[0], extremes[1] = least, most


@compiled
def _add_columns(image: Array, corner: Corner, thick: int, sums: Array) -> None:
    top, left = corner
    number, height = sums.shape
    for i in range(height):
        line = image[top + i, left : left + number * thick]
        for k in range(number):
            added = np.uint32(0)
            for value in line[k * thick : (k + 1) * thick]:
                added += np.uint32(value)
            sums[k, i] = added


@compiled
def _add_rows(image: Array, corner: Corner, thick: int, sums: Array) -> None:
    top, left = corner
    number, width = sums.shape
    narrow = np.empty(width, np.uint32)
    for k in range(number):
        narrow[:] = 0
        for i in range(top + k * thick, top + (k + 1) * thick):
            line = image[i, left : left + width]
            for j in range(width):
                narrow[j] += np.uint32(line[j])
        for j in range(width):
            sums[k, j] = narrow[j]
