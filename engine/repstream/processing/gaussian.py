"""The Gaussian curve that fits a profile best, by least squares, and the moments around it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.curve import FEWEST_POINTS, Curve, first_guess, moments
from repstream.processing.solvers import SOLVERS

Array = NDArray[Any]
Numbers = NDArray[np.float64]


class Fit(NamedTuple):
    """The curve, with its `values` along the axis, and the moments of what is above its offset.

    Where nothing could be fitted, `converged` is false and `curve` is the first guess. `rms` is the width
    about the `center_of_mass`.
    """

    curve: Curve
    converged: bool
    center_of_mass: float
    rms: float
    values: Numbers


def fit(profile: Array, axis: Array) -> Fit:
    """Fit a profile over its axis, which rises or falls; with the moments around the curve."""
    if SOLVERS.compiled is not None and (found := SOLVERS.compiled.fit(profile, axis)) is not None:
        numbers, values = found
        *curve, centre, rms = numbers.tolist()
        return Fit(Curve(*curve), True, centre, rms, values)
    places = np.asarray(axis, np.float64)
    best, converged = fitted(profile, places)
    around = moments(np.asarray(profile, np.float64), places, best)
    return Fit(best, converged, *around, best.along(places))


def each_fitted(profiles: Array, axis: Array) -> list[tuple[Curve, float]]:
    """The curve of each row of `profiles`, over one axis, and the sum of the row."""
    places = np.asarray(axis, np.float64)
    if SOLVERS.compiled is None:
        return [(fitted(profile, places)[0], float(profile.sum())) for profile in profiles]
    found = SOLVERS.compiled.fits(profiles, axis).tolist()
    return [
        (Curve(*curve) if done else fitted(profile, places)[0], total)
        for profile, (done, *curve, total) in zip(profiles, found, strict=True)
    ]


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
