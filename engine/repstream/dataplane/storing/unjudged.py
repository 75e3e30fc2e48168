"""Images of a ring that were written into a file, until it is known whether they still were whole."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from repstream.sources.ring_image import RingImage

LOOK = 0.005
"""Seconds between two looks for the progress of the ring."""


class Written(NamedTuple):
    """An image, its numbers in the file and among those to be shown, its row, when it was written."""

    image: RingImage
    place: int
    waiting: int
    row: np.ndarray[Any, Any]
    time: int


class Unjudged:
    """Used from one thread. Rows are kept too, since what they say of an image depends on the judgement."""

    def __init__(self) -> None:
        self._written: deque[Written] = deque()
        self._rows: list[np.ndarray[Any, Any]] = []

    def rows(self, rows: np.ndarray[Any, Any]) -> None:
        """Take the rows of images that have been written."""
        self._rows.append(rows)

    def images(self, payloads: Sequence[Any], place: int, waiting: int) -> None:
        """Those of the last rows are written, the first at `place`, and number `waiting` in its list."""
        now = time.monotonic_ns()
        for number, payload in enumerate(payloads):
            if isinstance(payload, RingImage):
                row = self._rows[-1][number : number + 1]
                self._written.append(Written(payload, place + number, waiting + number, row, now))

    def lost(self, patience: float) -> list[Written] | None:
        """Those that may not be whole; None where that is not known of all within `patience` seconds.

        With a patience, those of which it is not known then count as lost.
        """
        if not self._written:
            return []
        end = time.monotonic() + patience
        last = self._written[-1]
        while (known := last.image.is_whole(last.time)) is None and time.monotonic() < end:
            time.sleep(LOOK)
        if known is None and not patience:
            return None
        found = [written for written in self._written if not written.image.is_whole(written.time)]
        self._written.clear()
        return found

    def take_rows(self) -> list[np.ndarray[Any, Any]]:
        """The rows of all that has been judged."""
        rows, self._rows = self._rows, []
        return rows
