"""Fits in compiled code, one call for all that is known of a profile. Needs numba (extra ``numba``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing import levenberg
from repstream.processing.curve import FEWEST_POINTS, REACH
from repstream.processing.minpack import MOST_STEPS, TOLERANCE

Array = NDArray[Any]
Numbers = NDArray[np.float64]

LIMITS = TOLERANCE, MOST_STEPS, REACH


def fit(profile: Array, axis: Array) -> tuple[Numbers, Numbers] | None:
    """Offset, amplitude, mean, sigma, centre of mass and rms; the curve along the axis.

    None for a profile that MINPACK has to look at.
    """
    found, values = np.empty(levenberg.COUNT + 2), np.empty(len(profile))
    if len(profile) < FEWEST_POINTS or not levenberg.whole_fit(*_alike(profile, axis), LIMITS, found, values):
        return None
    return found, values


def fits(profiles: Array, axis: Array) -> Numbers:
    """Of each row: 1 for one that is fitted, else 0; offset, amplitude, mean, sigma; the sum of the row."""
    found = np.zeros((len(profiles), levenberg.COUNT + 2))
    if profiles.shape[1] >= FEWEST_POINTS:
        levenberg.each_curve(*_alike(profiles, axis), LIMITS, found)
    else:
        found[:, -1] = profiles.sum(axis=1)
    return found


def _alike(profile: Array, axis: Array) -> tuple[Numbers, Numbers]:
    """Both in the one type that is compiled for; of their own, since numba tells read-only arrays apart."""
    return np.array(profile, np.float64, order="C"), np.array(axis, np.float64)
