"""Pixels below a threshold count nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cut(image: NDArray[Any], threshold: float) -> NDArray[Any]:
    """`image` with 0 in the place of each pixel below `threshold`, whose fraction does not count.

    A threshold that is not above 0 changes nothing.
    """
    level = int(threshold)
    if threshold <= 0 or (level == 0 and image.dtype.kind == "u"):
        return image
    kept = image.copy()
    np.putmask(kept, image < level, 0)
    return kept
