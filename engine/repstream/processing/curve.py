"""A Gaussian on an offset: its values, a first guess of it from a profile, and the moments around it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Numbers = NDArray[np.float64]

FEWEST_POINTS = 4
ROOT_OF_2_PI = math.sqrt(2 * math.pi)
REACH = 5.0
"""Moments take in so many standard deviations on either side."""


class Curve(NamedTuple):
    """``offset + amplitude · exp(-(a - mean)² / (2 sigma²))``, in counts and units of the axis."""

    offset: float
    amplitude: float
    mean: float
    sigma: float

    def along(self, axis: Array) -> Numbers:
        """Its values at the points of an axis."""
        places = np.asarray(axis, np.float64)
        exponent = (places - self.mean) ** 2 * (-0.5 / self.sigma**2)
        values: Numbers = self.offset + self.amplitude * np.exp(exponent)
        return values


def first_guess(heights: Numbers, places: Numbers) -> Curve:
    """The maximum for the mean, the minimum for the offset, and the width that gives the same area."""
    offset, top = float(heights.min()), int(heights.argmax())
    amplitude = float(heights[top]) - offset
    sigma = 1.0
    if amplitude:
        above = heights - offset
        area = float((above[1:] + above[:-1]) @ np.diff(places)) / 2
        sigma = area / (amplitude * ROOT_OF_2_PI)
    return Curve(offset, amplitude, float(places[top]), sigma)


def moments(heights: Numbers, places: Numbers, curve: Curve) -> tuple[float, float]:
    """Centre of mass and rms of what is above the curve's offset, within its reach.

    The weights are normalised before they are cut off, as in all records of these numbers: with heavy
    tails both come out too small.
    """
    weights = heights - curve.offset
    total = float(weights.sum())
    if math.isfinite(total) and total:
        weights /= total
    weights[np.abs(places - curve.mean) > REACH * curve.sigma] = 0
    with np.errstate(invalid="ignore"):  # a pixel may be infinite, and so no centre of mass is there
        centre = float(places @ weights)
        return centre, math.sqrt(abs(float((places - centre) ** 2 @ weights)))
