"""How often values occur, from a sample of the pixels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing.clean import Clean


class Counts(NamedTuple):
    """`counts` (int64) of equal bins from `low` to `high`; the last one includes `high`."""

    counts: NDArray[np.int64]
    low: float
    high: float


def histogram(clean: Clean, low: float, high: float, bins: int = 256, most: int = 65536) -> Counts:
    """The good pixels from `low` to `high`, of about `most` pixels on a regular grid over the image.

    Those outside are left out. Where `low` equals `high` all of them are in the first bin.
    """
    stride = max(1, math.isqrt(max(clean.image.size // most, 1)))
    grid = (slice(None, None, stride), slice(None, None, stride))
    image, bad = clean.part(grid)
    values = (image if bad is None else image[~bad]).reshape(-1).astype(np.float64)
    values = values[(values >= low) & (values <= high)]
    scale = bins / (high - low) if high > low else 0.0
    places = np.minimum(((values - low) * scale).astype(np.int64), bins - 1)
    return Counts(np.bincount(places, minlength=bins).astype(np.int64), low, high)
