"""An image's sums along its axes, with what is counted on the way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.regions import Slices, whole
from repstream.processing.solvers import SOLVERS
from repstream.processing.sums import int64_profiles

Array = NDArray[Any]


class Profiles(NamedTuple):
    """`x`: the sum of each column, `y`: of each row, `intensity`: of all pixels.

    int64 for images of integers, the type of the image for floating-point numbers.
    """

    x: Array
    y: Array
    intensity: np.generic


def profiles(image: Array, part: Slices | None = None) -> Profiles:
    """The profiles of an image of two dimensions, or of its rows and columns in `part`."""
    found = _compiled(image, part)
    return _added(image if part is None else image[part]) if found is None else found[0]


def with_extremes(image: Array) -> tuple[Profiles, np.generic, np.generic]:
    """The profiles of an image, its least and its greatest pixel as `extremes` has them."""
    return _compiled(image) or (_added(image), *extremes(image))


def extremes(image: Array) -> tuple[np.generic, np.generic]:
    """The least and the greatest pixel in the image's type; NaN pixels do not count."""
    if image.dtype.kind != "f":
        return image.min(), image.max()
    least, most = np.fmin.reduce(image, axis=None), np.fmax.reduce(image, axis=None)
    return least, most


def _compiled(image: Array, part: Slices | None = None) -> tuple[Profiles, np.generic, np.generic] | None:
    if SOLVERS.compiled is None:
        return None
    found = SOLVERS.compiled.profiles(image, part or whole(image))
    if found is None:
        return None
    y, x, least, most = found
    return Profiles(x, y, x.sum()), least, most


def _added(image: Array) -> Profiles:
    if image.dtype.kind == "f":
        x, y = image.sum(axis=0, dtype=image.dtype), image.sum(axis=1, dtype=image.dtype)
        return Profiles(x, y, image.dtype.type(image.sum()))
    y, x = int64_profiles(image)
    return Profiles(x, y, x.sum())
