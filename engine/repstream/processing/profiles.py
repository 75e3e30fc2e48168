"""An image's sums along its axes, with what is counted on the way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.solvers import SOLVERS

Array = NDArray[Any]


class Profiles(NamedTuple):
    """`x`: the sum of each column, `y`: of each row, `intensity`: of all pixels.

    int64 for images of integers, the type of the image for floating-point numbers.
    """

    x: Array
    y: Array
    intensity: np.generic


def profiles(image: Array) -> Profiles:
    """The profiles of an image of two dimensions."""
    if image.dtype.kind == "f":
        x, y = image.sum(axis=0, dtype=image.dtype), image.sum(axis=1, dtype=image.dtype)
        return Profiles(x, y, image.dtype.type(image.sum()))
    y, x = SOLVERS.profiles(image)
    return Profiles(x, y, x.sum())


def extremes(image: Array) -> tuple[np.generic, np.generic]:
    """The least and the greatest pixel in the image's type; NaN pixels do not count."""
    if image.dtype.kind != "f":
        return image.min(), image.max()
    least, most = np.fmin.reduce(image, axis=None), np.fmax.reduce(image, axis=None)
    return least, most
