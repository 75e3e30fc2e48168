"""The Gaussian curve that fits a profile best, by least squares, and the moments around it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.solvers import SOLVERS

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


class Fit(NamedTuple):
    """The curve, and the centre of mass and width (rms) of what is above its offset.

    Where nothing could be fitted, `converged` is false and `curve` is the first guess.
    """

    curve: Curve
    converged: bool
    center_of_mass: float
    rms: float


def fit(profile: Array, axis: Array) -> Fit:
    """Fit a profile over its axis, which rises or falls; with the moments around the curve."""
    places = np.asarray(axis, np.float64)
    curve, converged = fitted(profile, places)
    return Fit(curve, converged, *moments(np.asarray(profile, np.float64), places, curve))


def fitted(profile: Array, places: Numbers) -> tuple[Curve, bool]:
    """The curve alone, and whether it is a fit: the first guess where nothing could be fitted.

    The profile is rounded to float32 first, as in all records of these numbers.
    """
    heights = np.asarray(profile, np.float32).astype(np.float64)
    guess = first_guess(heights, places)
    at = np.array(guess)
    usable = len(heights) >= FEWEST_POINTS and bool(np.isfinite(at).all()) and guess.sigma != 0
    converged = usable and bool(SOLVERS.minimise(heights, places, at))
    offset, amplitude, mean, sigma = at.tolist() if converged else guess
    return Curve(offset, amplitude, mean, abs(sigma)), converged


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
