"""Which code does the heavy work: compiled where numba is installed, once it is ready, else not.

Compiling takes seconds, at the first use on a machine: a thread does it while the other code works. What
it made is kept beside the modules, and read in a second by the next process. numba takes some 100 MB in each
process, so that it is loaded only where images keep coming.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.processing import minpack
from repstream.processing.regions import Slices

Array = NDArray[Any]
Numbers = NDArray[np.float64]


HAS_NUMBA = importlib.util.find_spec("numba") is not None

PATIENCE = 50
"""Images that are processed before numba is loaded."""

_LOGGER = logging.getLogger(__name__)


class Compiled(NamedTuple):
    """What is compiled: one call each for much work, which holds no lock of Python.

    See `column_sums` and `compiled_fits`; what they leave to others they answer with None.
    """

    profiles: Callable[[Array, Slices], tuple[Array, Array, np.generic, np.generic] | None]
    across: Callable[[Array, Slices, int, bool], Array | None]
    fit: Callable[[Array, Array], tuple[Numbers, Numbers] | None]
    fits: Callable[[Array, Array], Numbers]


class Solvers:
    """What takes the time of processing.

    `compiled` is None where numba is not installed, and until it is loaded. `minimise`, for what that leaves,
    takes a first guess to the Gaussian of least squares, in place; false where there is none.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._to_come = patience
        self.compiled: Compiled | None = None
        self.minimise: Callable[[Numbers, Numbers, Numbers], bool] = minpack.minimise
        if not HAS_NUMBA:
            from repstream.processing import levenberg  # noqa: PLC0415 (it would load numba)

            self.minimise = levenberg.minimise
        self._lock = threading.Lock()
        self._compiling: threading.Thread | None = None

    def count(self) -> None:
        """An image is processed: after `patience` of them, prepare."""
        if self._to_come > 0:
            self._to_come -= 1
            if self._to_come <= 0:  # below, where several threads come at once
                self.prepare()

    def prepare(self, wait: float | None = None) -> None:
        """Begin to compile, if that was not done yet; `wait` at most so many seconds for its end."""
        if not HAS_NUMBA:
            return
        with self._lock:
            if self._compiling is None:
                self._compiling = threading.Thread(target=self._compile, name="compile", daemon=True)
                self._compiling.start()
        if wait is not None:
            self._compiling.join(wait)

    @property
    def ready(self) -> bool:
        """Whether compiled code is in use."""
        return self.compiled is not None

    def _compile(self) -> None:
        try:
            self._load()
        except Exception:
            _LOGGER.warning("numba cannot be used: scipy fits, more slowly", exc_info=True)

    def _load(self) -> None:
        from repstream.processing import column_sums, compiled_fits  # noqa: PLC0415 (an extra, and slow)

        made = Compiled(column_sums.profiles, column_sums.across, compiled_fits.fit, compiled_fits.fits)
        whole = slice(0, 8), slice(0, 8)
        for dtype in column_sums.DTYPES:
            image = np.add.outer(np.arange(8), np.arange(8)).astype(dtype)
            made.profiles(image, whole)
            for columns in (False, True):
                made.across(image, whole, 2, columns)
        heights = np.arange(8) ** 2
        made.fit(heights, heights)
        made.fits(heights[None], heights)
        self.compiled = made


SOLVERS = Solvers()
