"""The Gaussian of least squares by MINPACK's Levenberg-Marquardt, from scipy (extra ``cameras``)."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

TOLERANCE = 1e-11
"""Of the sum of squares and of the parameters, relative. Tight: where the minimum is flat, one that is
reached on another way would else end elsewhere."""

MOST_STEPS = 200

_ONE_AT_A_TIME = threading.Lock()
"""MINPACK remembers the functions that it calls, for one fit at a time."""


class _Model:
    """Residuals and their derivatives, which share the exponential."""

    def __init__(self, heights: Numbers, places: Numbers) -> None:
        self._heights, self._places = heights, places
        self._at: tuple[float, ...] = ()
        self._z, self._bell = np.empty_like(places), np.empty_like(places)
        self._slopes = np.ones((4, len(places)))

    def residuals(self, parameters: Numbers) -> Numbers:
        offset, amplitude, *_ = self._evaluate(parameters)
        residuals = self._bell * amplitude
        residuals += offset
        residuals -= self._heights
        return residuals

    def slopes(self, parameters: Numbers) -> Numbers:
        _, amplitude, _, sigma = self._evaluate(parameters)
        slopes, z = self._slopes, self._z
        slopes[1] = self._bell
        np.multiply(self._bell, z, out=slopes[2])
        slopes[2] *= amplitude / sigma
        np.multiply(slopes[2], z, out=slopes[3])
        return slopes

    def _evaluate(self, parameters: Numbers) -> tuple[float, ...]:
        at = tuple(parameters.tolist())
        if at != self._at:
            self._at = at
            z, bell = self._z, self._bell
            np.subtract(self._places, at[2], out=z)
            z /= at[3]
            np.multiply(z, z, out=bell)
            bell *= -0.5
            np.exp(bell, out=bell)
        return at


def minimise(heights: Numbers, places: Numbers, at: Numbers) -> bool:
    """Take `at`, the first guess, to the minimum of the sum of squares; false where there is none.

    `at` is offset, amplitude, mean and sigma.
    """
    from scipy.optimize import leastsq  # noqa: PLC0415 (an extra, and slow to import)

    model = _Model(heights, places)
    options: dict[str, Any] = {"ftol": TOLERANCE, "xtol": TOLERANCE, "maxfev": MOST_STEPS}
    with _ONE_AT_A_TIME, np.errstate(all="ignore"):
        found, _, _, _, ending = leastsq(
            model.residuals, at, Dfun=model.slopes, col_deriv=True, full_output=True, **options
        )
    if ending not in (1, 2, 3, 4) or not np.isfinite(found).all():
        return False
    at[:] = found
    return True
