"""The gate of one acquisition: how many frames it lets through, and which they were. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repstream.dataplane.control import Opening
from repstream.messages.frame import Frame


@dataclass(slots=True)
class Gate:
    """Shut at first. `limit`: frames after which it shuts; `file_limit`: frames that fill the file."""

    file_limit: int
    is_open: bool = False
    limit: int = 0
    _number: int = 0
    _begin: float = 0.0
    _end: float | None = None
    _images: int = 0
    _first_id: int | None = None
    _last_id: int | None = None

    def open(self, taken: int, frames: int, begin: float) -> None:
        """Open for `frames` more than `taken`, or (0) up to the limit of the file.

        `begin`: monotonic time from which on the frames came that are let through.
        """
        self.limit = min(self.file_limit, taken + frames) if frames else self.file_limit
        self.is_open = True
        self._number += 1
        self._begin, self._end = begin, None
        self._images, self._first_id, self._last_id = 0, None, None

    def shut(self, now: float) -> None:
        """Let nothing more through; `now` is monotonic time."""
        if self.is_open:
            self.is_open = False
            self._end = now

    def note(self, frame_id: int) -> None:
        """A frame was taken."""
        if not self._images:
            self._first_id = frame_id
        self._images += 1
        self._last_id = frame_id

    def note_run(self, frames: Sequence[Frame]) -> None:
        """Frames were taken, one behind the other."""
        if not self._images:
            self._first_id = frames[0].frame_id
        self._images += len(frames)
        self._last_id = frames[-1].frame_id

    @property
    def opening(self) -> Opening | None:
        """What went through since it was opened last; None before the first time."""
        if not self._number:
            return None
        return Opening(self._number, self._begin, self._end, self._images, self._first_id, self._last_id)
