"""Full width of a profile at a fraction of its height."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF = 0.5


def full_width(profile: NDArray[Any], axis: NDArray[Any], fraction: float = HALF) -> float:
    """The distance between where the profile falls to `fraction` of its height on both sides of its maximum.

    In units of the axis, between pixels by a straight line. Where it does not fall so far, the line through
    the two last points of that side is drawn on: the width is then far too great, 0 or infinite. NaN for
    a constant profile, 0 for one with fewer than two points.
    """
    if len(profile) < 2:
        return 0.0
    heights = np.asarray(profile - profile.min(), np.float64)
    top = int(heights.argmax())
    level = heights[top] * fraction
    below = heights <= level
    # The first element is never looked at, as in all records of these widths.
    left = top - int(below[top:0:-1].argmax()) if below[1 : top + 1].any() else 0
    right = top + int(below[top:].argmax()) if below[top:].any() else len(heights) - 1
    places = np.asarray(axis, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [_crossing(heights, places, level, outer, step) for outer, step in ((left, 1), (right, -1))]
    return float(abs(ends[1] - ends[0]))


def _crossing(heights: NDArray[Any], places: NDArray[Any], level: float, outer: int, inwards: int) -> float:
    inner = outer + inwards
    rise = heights[inner] - heights[outer]
    crossing: float = places[outer] + (level - heights[outer]) / rise * (places[inner] - places[outer])
    return crossing
