"""How one axis follows the other: the straight line through the centres of slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """y = `slope`·x + `offset`."""

    slope: float
    offset: float


def line(x: Sequence[float], y: Sequence[float]) -> Line | None:
    """The line of least squares through the points; None where fewer than two differ in x."""
    places, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(places) < 2:
        return None
    centred = places - places.mean()
    spread = float(centred @ centred)
    if not spread > 0:
        return None
    slope = float(centred @ (values - values.mean())) / spread
    return Line(slope, float(values.mean() - slope * places.mean()))
