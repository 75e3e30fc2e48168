"""The numbers of the beam among the channels that a pipeline sends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

CHANNELS = {
    "x_center": "x_fit_mean",
    "x_width": "x_fit_standard_deviation",
    "y_center": "y_fit_mean",
    "y_width": "y_fit_standard_deviation",
    "x_center_of_mass": "x_center_of_mass",
    "y_center_of_mass": "y_center_of_mass",
    "x_fwhm": "x_fwhm",
    "y_fwhm": "y_fwhm",
    "intensity": "intensity",
    "maximum": "max_value",
}
"""What is shown, by the channel that says it."""


def beam_of(channels: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers; None where the channels have none, or one that is not finite."""
    found = {name: _number(channels.get(channel)) for name, channel in CHANNELS.items()}
    shares = [_explained(channels, axis) for axis in "xy"]
    known = [share for share in shares if share is not None]
    return {**found, "quality": min(known) if len(known) == len(shares) else None}


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, str) or np.ndim(value):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _explained(channels: Mapping[str, Any], axis: str) -> float | None:
    """The share of a profile's variance that its Gaussian explains, 0 … 1."""
    profile, fitted = channels.get(f"{axis}_profile"), channels.get(f"{axis}_fit_gauss_function")
    if profile is None or fitted is None or len(profile) != len(fitted):
        return None
    profile = np.asarray(profile, np.float64)
    total = float(np.sum((profile - profile.mean()) ** 2))
    if not total > 0:
        return None
    share = 1 - float(np.sum((profile - fitted) ** 2)) / total
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else None
