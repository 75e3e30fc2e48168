"""Memory for packed images that is filled again once the message has gone.

New memory for each image costs the kernel a page fault for every 4 kB of it, a fifth of the time of packing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from repstream.messages.conversion import Fill
from repstream.sources.source import lend

MOST = 64
"""Pieces of memory that are kept while nobody needs them."""


class ReusedMemory:
    """Fills `conversion.Memory`. May be called from any thread."""

    def __init__(self) -> None:
        self._free: list[npt.NDArray[np.uint8]] = []

    def __call__(self, nbytes: int, fill: Fill) -> Any:
        memory = self._take(nbytes)
        return lend(memory[: fill(memory)], partial(self._give_back, memory))

    def _take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        while True:
            try:
                memory = self._free.pop()
            except IndexError:
                return np.empty(nbytes, np.uint8)
            if memory.size == nbytes:
                return memory

    def _give_back(self, memory: npt.NDArray[np.uint8]) -> None:
        if len(self._free) < MOST:
            self._free.append(memory)
