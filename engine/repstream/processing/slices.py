"""Slices of an image across the beam: centre, width and intensity of each."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.axes import index_of
from repstream.processing.camera import View
from repstream.processing.curve import Curve
from repstream.processing.gaussian import each_fitted
from repstream.processing.regions import Slices
from repstream.processing.solvers import SOLVERS

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


def slices(view: View, part: Slices, curve: Curve, asked: Slicing) -> tuple[list[Slice], float | None]:
    """The slices of a part of a view, and the length of one; `curve` is the fit of its profile across them.

    "horizontal" ones follow each other along its x axis, "vertical" ones along its y axis.
    """
    rows, columns = part
    horizontal = asked.orientation == "horizontal"
    across, along = view.x_axis[columns], view.y_axis[rows]
    if not horizontal:
        across, along = along, across
    where = cuts(across, curve.mean, curve.sigma, asked.scale, asked.number)
    found = []
    curves = each_fitted(_profiles(view.image, part, where, horizontal), along)
    for first, (fit, total) in zip(where.boundaries, curves, strict=False):
        center = float(across[first + where.half])
        x_center, y_center = (center, fit.mean) if horizontal else (fit.mean, center)
        found.append(Slice(x_center, y_center, fit.sigma, total))
    return found, where.length


def _profiles(image: Array, part: Slices, where: Cuts, columns: bool) -> Array:
    """The sums of the lines of each slice: of columns, else of rows."""
    if not where.boundaries:
        return np.empty((0, 0), np.int64)
    first, last, number = where.boundaries[0], where.boundaries[-1], len(where.boundaries) - 1
    rows, across = part
    if columns:
        part = rows, slice(across.start + first, across.start + last)
    else:
        part = slice(rows.start + first, rows.start + last), across
    if SOLVERS.compiled is not None:
        found = SOLVERS.compiled.across(image, part, number, columns)
        if found is not None:
            return found
    # Contiguous, whatever the orientation: sums of long lines are the fast ones.
    lines = np.ascontiguousarray(image[part].T if columns else image[part])
    dtype = lines.dtype if lines.dtype.kind == "f" else np.int64
    sums: Array = lines.reshape(number, -1, lines.shape[1]).sum(axis=1, dtype=dtype)
    return sums
