"""The sums of the rows and columns of an image in one pass, compiled. Needs numba (extra ``numba``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing import sums
from repstream.processing.levenberg import compiled

Array = NDArray[Any]

DTYPES = ("u1", "u2")
"""Pixels of cameras. Others are added by numpy: each type would have to be compiled."""

LINES = 1 << 12
"""So many pixels of 16 bits, as often as there are columns, cannot overflow the 32 bits they are added in."""

WIDEST = 1 << 16


def profiles(image: Array) -> tuple[Array, Array]:
    """The sums of the rows and of the columns of an image of integers, int64."""
    is_known = image.dtype.str[1:] in DTYPES and image.dtype.isnative
    if not is_known or image.shape[1] > WIDEST:
        return sums.int64_profiles(image)
    rows, columns = np.empty(image.shape[0], np.int64), np.zeros(image.shape[1], np.int64)
    _add(np.ascontiguousarray(image), rows, columns, np.empty(image.shape[1], np.uint32))
    return rows, columns


@compiled
def _add(image: Array, rows: Array, columns: Array, narrow: Array) -> None:
    height, width = image.shape
    for first in range(0, height, LINES):
        narrow[:] = 0
        for i in range(first, min(first + LINES, height)):
            line = image[i]
            added = np.uint32(0)
            for j in range(width):
                value = np.uint32(line[j])
                added += value
                narrow[j] += value
            rows[i] = added
        for j in range(width):
            columns[j] += narrow[j]
