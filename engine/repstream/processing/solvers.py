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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing import minpack, sums

Array = NDArray[Any]
Numbers = NDArray[np.float64]


HAS_NUMBA = importlib.util.find_spec("numba") is not None

PATIENCE = 50
"""Images that are processed before numba is loaded."""

_LOGGER = logging.getLogger(__name__)


class Solvers:
    """The two functions that take the time of processing.

    `minimise` takes a first guess to the Gaussian of least squares, in place; false where there is none.
    `profiles` are the sums of rows and of columns of an image of integers, int64.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._to_come = patience
        self.minimise: Callable[[Numbers, Numbers, Numbers], bool] = minpack.minimise
        self.profiles: Callable[[Array], tuple[Array, Array]] = sums.int64_profiles
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
        """Whether the compiled ones are in use."""
        return HAS_NUMBA and self.minimise is not minpack.minimise

    def _compile(self) -> None:
        try:
            self._load()
        except Exception:
            _LOGGER.warning("numba cannot be used: scipy fits, more slowly", exc_info=True)

    def _load(self) -> None:
        from repstream.processing import column_sums, levenberg  # noqa: PLC0415 (an extra, and slow)

        ramp = np.arange(8.0)
        levenberg.minimise(ramp, ramp, np.ones(4))
        for dtype in column_sums.DTYPES:
            column_sums.profiles(np.zeros((2, 2), dtype))
        self.minimise, self.profiles = levenberg.minimise, column_sums.profiles


SOLVERS = Solvers()
