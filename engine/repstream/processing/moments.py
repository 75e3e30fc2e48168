"""Where the intensity lies: centre of mass and width, from the sums of rows and columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing.clean import Clean
from repstream.processing.sums import profiles

Pair = tuple[float, float]


def along(profile: NDArray[Any]) -> Pair | None:
    """Centre of mass and standard deviation of a profile, in its elements; None without intensity."""
    weights = profile.astype(np.float64)
    intensity = float(weights.sum())
    if not 0 < intensity < math.inf:
        return None
    places = np.arange(len(weights), dtype=np.float64)
    centre = float(weights @ places) / intensity
    variance = float(weights @ (places - centre) ** 2) / intensity
    return centre, float(np.sqrt(max(variance, 0.0)))


def above(clean: Clean, threshold: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The intensity above `threshold`, summed along each row and each column as in `sums.profiles`.

    A pixel counts with what it has beyond the threshold, which is rounded down for integers; one below
    it, and a bad one, counts nothing.
    """
    image, bad = clean
    if is_plain(image.dtype, threshold):
        return profiles(image)
    return profiles(image, _level(image.dtype, threshold), bad)


def is_plain(dtype: np.dtype[Any], threshold: float) -> bool:
    """Whether all intensity is above `threshold`, so that nothing has to be cut off."""
    return dtype.kind == "u" and threshold < 1


def _level(dtype: np.dtype[Any], threshold: float) -> Any:
    if dtype.kind == "f":
        return dtype.type(threshold)
    limits = np.iinfo(dtype)
    return dtype.type(min(max(math.floor(threshold), limits.min), limits.max))
