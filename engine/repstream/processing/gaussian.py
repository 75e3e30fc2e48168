"""The Gaussian curve that fits a profile best, by least squares, and the moments around it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Numbers = NDArray[np.float64]

TOLERANCE = 1.49e-8
"""Of the sum of squares and of the parameters, relative: half of the digits of double precision."""

MOST_CALLS = 1000
FEWEST_POINTS = 4
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
    """Fit a profile over its axis, which rises or falls."""
    places = np.asarray(axis, np.float64)
    heights = np.asarray(profile, np.float32).astype(np.float64)
    guess = first_guess(heights, places)
    found = _least_squares(heights, places, guess)
    curve = guess if found is None else found
    curve = curve._replace(sigma=abs(curve.sigma))
    return Fit(curve, found is not None, *moments(np.asarray(profile, np.float64), places, curve))


def first_guess(heights: Numbers, places: Numbers) -> Curve:
    """The maximum for the mean, the minimum for the offset, and the width that gives the same area."""
    offset, top = float(heights.min()), int(heights.argmax())
    amplitude = float(heights[top]) - offset
    sigma = 1.0
    if amplitude:
        area = float(np.trapezoid(heights - offset, places))
        sigma = area / (amplitude * math.sqrt(2 * math.pi))
    return Curve(offset, amplitude, float(places[top]), sigma)


def moments(heights: Numbers, places: Numbers, curve: Curve) -> tuple[float, float]:
    """Centre of mass and rms of what is above the curve's offset, within its reach.

    The weights are normalised before they are cut off, as in all records of these numbers: with heavy
    tails both come out too small.
    """
    weights = heights - curve.offset
    total = float(weights.sum())
    if total:
        weights /= total
    weights[np.abs(places - curve.mean) > REACH * curve.sigma] = 0
    centre = float(places @ weights)
    return centre, math.sqrt(abs(float((places - centre) ** 2 @ weights)))


class _Model:
    """Residuals and their derivatives, which share the exponential."""

    def __init__(self, heights: Numbers, places: Numbers) -> None:
        self._heights, self._places = heights, places
        self._at: tuple[float, ...] = ()
        self._z = self._bell = places
        self._slopes = np.ones((4, len(places)))

    def residuals(self, parameters: Numbers) -> Numbers:
        offset, amplitude = parameters[0], parameters[1]
        self._evaluate(parameters)
        residuals: Numbers = self._bell * amplitude + (offset - self._heights)
        return residuals

    def slopes(self, parameters: Numbers) -> Numbers:
        _, amplitude, _, sigma = parameters
        self._evaluate(parameters)
        slopes, z = self._slopes, self._z
        slopes[1] = self._bell
        np.multiply(self._bell, z, out=slopes[2])
        slopes[2] *= amplitude / sigma
        np.multiply(slopes[2], z, out=slopes[3])
        return slopes

    def _evaluate(self, parameters: Numbers) -> None:
        at = tuple(parameters)
        if at == self._at:
            return
        _, _, mean, sigma = self._at = at
        self._z = (self._places - mean) / sigma
        self._bell = np.exp(self._z * self._z * -0.5)


def _least_squares(heights: Numbers, places: Numbers, guess: Curve) -> Curve | None:
    """The curve of least squares by Levenberg-Marquardt (MINPACK), None where there is none."""
    if len(heights) < FEWEST_POINTS or not all(math.isfinite(value) for value in guess) or not guess.sigma:
        return None
    from scipy.optimize import leastsq  # noqa: PLC0415 (an extra, and slow to import)

    model = _Model(heights, places)
    with np.errstate(all="ignore"):
        found, _, _, _, ending = leastsq(
            model.residuals,
            guess,
            Dfun=model.slopes,
            col_deriv=True,
            ftol=TOLERANCE,
            xtol=TOLERANCE,
            maxfev=MOST_CALLS,
            full_output=True,
        )
    if ending not in (1, 2, 3, 4) or not np.isfinite(found).all():
        return None
    return Curve(*(float(value) for value in found))
