"""Slices of an image across the beam: centre, width and intensity of each."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.axes import index_of
from repstream.processing.camera import View
from repstream.processing.gaussian import Curve, fit

Array = NDArray[Any]
Orientation = Literal["horizontal", "vertical"]


class Slice(NamedTuple):
    """Centre of a slice on both axes, width along it (of a Gaussian fit), and the sum of its pixels."""

    center_x: float
    center_y: float
    standard_deviation: float
    intensity: float


class Slicing(NamedTuple):
    """How an image is to be sliced: into how many parts (odd) of together how many standard deviations."""

    number: int
    scale: float
    orientation: Orientation


class Cuts(NamedTuple):
    """Where slices begin and end: each at one of `boundaries`, to the next.

    `half` is half of a slice in elements of the axis, `length` the length of the middle one in its units
    (None without slices).
    """

    boundaries: list[int]
    half: int
    length: float | None


def odd(number: int) -> int:
    """The number of slices for one that is asked for: there is always one in the middle."""
    return number + 1 if number % 2 == 0 else number


def cuts(axis: Array, center: float, sigma: float, scale: float, number: int) -> Cuts:
    """Cut `scale` standard deviations of the axis about `center` into `number` slices (made odd).

    Pairs of slices that reach beyond the axis are left out; there is none where the middle one does.
    """
    number = odd(number)
    middle = index_of(axis, center)
    half = max(abs(index_of(axis, center + scale * sigma / number / 2) - middle), 1)
    last = len(axis) - 1
    pairs = min((middle - half) // (2 * half), (last - middle - half) // (2 * half), number // 2)
    if middle - half < 0 or middle + half > last:
        return Cuts([], half, None)
    first, end = middle - half - 2 * half * pairs, middle + half + 2 * half * pairs
    length = abs(float(axis[middle - half]) - float(axis[middle + half]))
    return Cuts(list(range(first, end + 1, 2 * half)), half, length)


def slices(view: View, curve: Curve, asked: Slicing) -> tuple[list[Slice], float | None]:
    """The slices of a view, and the length of one; `curve` is the fit of its profile across them.

    "horizontal" ones follow each other along its x axis, "vertical" ones along its y axis.
    """
    orientation, number, scale = asked.orientation, asked.number, asked.scale
    image, x, y = view
    across, along = (x, y) if orientation == "horizontal" else (y, x)
    lines = image if orientation == "horizontal" else image.T
    where = cuts(across, curve.mean, curve.sigma, scale, number)
    found = []
    for first, end in zip(where.boundaries, where.boundaries[1:], strict=False):
        profile = _profile(lines[:, first:end])
        fitted = fit(profile, along).curve
        centers = float(across[first + where.half]), fitted.mean
        x_center, y_center = centers if orientation == "horizontal" else centers[::-1]
        found.append(Slice(x_center, y_center, fitted.sigma, float(profile.sum())))
    return found, where.length


def _profile(lines: Array) -> Array:
    profile: Array = lines.sum(axis=1, dtype=lines.dtype if lines.dtype.kind == "f" else np.int64)
    return profile
