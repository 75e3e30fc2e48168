"""Binning, mirrors, quarter turns and regions of a camera's images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing.regions import Slices

Array = NDArray[Any]

MOST = 65535
"""What a binned pixel is held at: binned images are uint16, whatever they were."""


def native(image: Array) -> Array:
    """The image in this machine's byte order, in which alone it can be computed with."""
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def binned(image: Array, x: int, y: int, mean: bool = False) -> Array:
    """Every `x` columns and `y` rows taken to one pixel, in uint16; the image itself where both are 1.

    Columns on the right and rows at the bottom that fill no group are left out. The sum of a group is
    held at 0 and 65,535, its `mean` loses its fraction (of the sum before it is held).
    """
    if x == 1 and y == 1:
        return image
    height, width = image.shape[0] // y, image.shape[1] // x
    cut = image[: height * y, : width * x]
    dtype = np.dtype(np.float64 if image.dtype.kind == "f" else np.int64)
    # Whole rows first: additions of long lines are several times faster than of a few neighbours.
    rows = cut.reshape(height, y, width * x).sum(axis=1, dtype=dtype)
    groups = rows.reshape(height, width, x).sum(axis=2, dtype=dtype)
    if mean:
        groups = np.trunc(groups / (x * y))
    held: Array = np.clip(groups, 0, MOST).astype(np.uint16)
    return held


def mirrored(image: Array, x: bool, y: bool) -> Array:
    """The image with left and right (`x`), top and bottom (`y`) exchanged; a view."""
    return image[:: -1 if y else 1, :: -1 if x else 1]


def turned(image: Array, quarters: int) -> Array:
    """The image turned counter-clockwise by quarters, row 0 on top; a view."""
    return np.rot90(image, quarters)


def held_region(shape: tuple[int, int], region: Sequence[float]) -> Slices:
    """Rows and columns of a pipeline's region (offset_x, size_x, offset_y, size_y).

    Its size is limited to the image, then its offsets to what is left beside it, as a viewer would move
    it into sight: nothing that is asked for lies outside.
    """
    offset_x, size_x, offset_y, size_y = (int(value) for value in region)
    return _held(shape[0], offset_y, size_y), _held(shape[1], offset_x, size_x)


def _held(size: int, offset: int, length: int) -> slice:
    length = max(min(length, size), 0)
    first = max(min(offset, size - length), 0)
    return slice(first, first + length)
