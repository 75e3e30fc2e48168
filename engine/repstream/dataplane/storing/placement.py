"""Where in the file an image goes when its id decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from repstream.messages.frame import Frame

MAX_JUMP = 65_536
"""Images that may be missing in a row and still get blank places, about 3 MB of index."""


class Place(NamedTuple):
    """The place of an image, and the place at which its numbering, `step` apart, began."""

    number: int
    base: int
    step: int = 1

    def id_at(self, index: int, frame_id: int) -> int:
        """The id that belongs to a place, given that of the image here; 0 in an earlier numbering."""
        return frame_id - (self.number - index) * self.step if index >= self.base else 0


class Placed(msgspec.Struct, gc=False):
    """A frame on its way to the file; `place` None puts it behind the one before."""

    frame: Frame
    place: Place | None = None


@dataclass(slots=True)
class Placement:
    """Image id minus first id decides; the ids of a numbering are `step` apart.

    A numbering that begins anew (`begin`, or an id between those of the one before), and one
    that jumps by more than `MAX_JUMP`, goes on at the place that follows the last one. No place
    is given twice as long as no id of a numbering is.
    """

    step: int = 1
    _next: int = 0
    _base: int = 0
    _first: int | None = None

    @property
    def is_begun(self) -> bool:
        """Whether the first id of the numbering is known."""
        return self._first is not None

    def begin(self, first: int | None = None) -> None:
        """Another numbering begins, with the id `first`, or with that of the next image."""
        self._base, self._first = self._next, first

    def place(self, frame_id: int) -> Place | None:
        """The place of an image; None for one so late that its numbering has no room left for it."""
        number, between = divmod(frame_id - (frame_id if self._first is None else self._first), self.step)
        if self._first is None or between or number + self._base - self._next > MAX_JUMP:
            self._base, self._first, number = self._next, frame_id, 0
        index = self._base + number
        if index < self._base:
            return None
        self._next = max(self._next, index + 1)
        return Place(index, self._base, self.step)
