"""The part of a profile that has the beam in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

THRESHOLD, SCALE = 0.3, 1.8


def good_region(profile: NDArray[Any], threshold: float = THRESHOLD, scale: float = SCALE) -> tuple[int, int]:
    """First element of the region, and the one after its last.

    It reaches from the maximum to where the profile is below `threshold` of its height, and is then
    widened about its middle to `scale` times its length. A side on which no element is below ends at the
    maximum itself; the first element is never looked at. Raises ValueError for a profile with NaN.
    """
    lowest, highest = profile.min(), profile.max()
    if np.isnan(highest):
        raise ValueError("a profile with NaN has no good region")
    top = int(profile.argmax())
    below = profile < lowest + (highest - lowest) * threshold
    left = top - int(below[top:0:-1].argmax()) if below[1 : top + 1].any() else top
    right = top + int(below[top:].argmax()) if below[top:].any() else top
    wider = (right - left) * (scale - 1) / 2
    last = len(profile) - 1
    return int(min(max(left - wider, 0), last)), int(min(max(right + wider, 0), last))
