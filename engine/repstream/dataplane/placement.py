"""Where in the file an image goes when its id decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MAX_JUMP = 65_536
"""Images that may be missing in a row and still get blank places, about 3 MB of index."""


class Place(NamedTuple):
    """The place of an image, and the place at which its series of ids began."""

    number: int
    base: int

    def id_at(self, index: int, frame_id: int) -> int:
        """The id that belongs to a place, given that of the image here; 0 in an earlier series."""
        return frame_id - (self.number - index) if index >= self.base else 0


@dataclass(slots=True)
class Placement:
    """Image id minus first id decides.

    A series of ids that begins anew (`begin`), and one that jumps by more than `MAX_JUMP`,
    goes on at the place that follows the last one. No place is given twice as long as no id
    of a series is.
    """

    _next: int = 0
    _base: int = 0
    _first: int | None = None

    def begin(self) -> None:
        """The next id is the first of another series."""
        self._first = None

    def place(self, frame_id: int) -> Place | None:
        """The place of an image; None for one so late that its series had no room left for it."""
        if self._first is None or frame_id - self._first + self._base - self._next > MAX_JUMP:
            self._base, self._first = self._next, frame_id
        index = self._base + frame_id - self._first
        if index < self._base:
            return None
        self._next = max(self._next, index + 1)
        return Place(index, self._base)
