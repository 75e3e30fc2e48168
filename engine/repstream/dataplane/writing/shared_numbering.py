"""The ids of an acquisition of which other receivers take others. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from repstream.accounting import IdRun, RunLog, Verdict
from repstream.dataplane.storing.placement import Place
from repstream.dataplane.writing.numbering import Numbering
from repstream.messages.frame import Frame


class SharedNumbering(Numbering):
    """Counts no gaps, since others get the ids in between; all receivers have the same first id (`settle`).

    The place of an image is that in the whole acquisition, and decides whether it belongs to it. Its place
    in the file of this receiver is that of its arrival.
    """

    is_shared = True

    def __init__(self, step: int = 1) -> None:
        super().__init__(step)
        self._runs = RunLog()
        self._first: int | None = None

    @property
    def by_id(self) -> bool:
        return True

    @property
    def is_settled(self) -> bool:
        return self._first is not None

    @property
    def is_whole(self) -> bool:
        return True

    def begin_series(self, images: int | None) -> None:
        """Its message reached one receiver only, so ids alone count."""

    def end_series(self) -> None:
        """See `begin_series`."""

    def observe(self, frame_id: int) -> Verdict:
        return self._runs.observe(frame_id)

    def begin_anew(self) -> None:
        """An acquisition of several receivers has one numbering."""

    def settle(self, first: int) -> None:
        """The acquisition begins with this id; the first time it is said counts."""
        if self._first is None:
            self._first = first

    def place(self, frame_id: int) -> Place | None:
        """The place among all images; None where the id lies before the first, or between two."""
        assert self._first is not None
        number, between = divmod(frame_id - self._first, self._step)
        return None if between or number < 0 else Place(number, 0, self._step)

    def end_before(self, place: Place, limit: int, frame_id: int) -> None:
        """Who counts the gaps of all receivers leaves these ids out."""

    def continue_with(self, frames: Sequence[Frame]) -> bool:
        return False

    def take_runs(self) -> tuple[IdRun, ...]:
        return self._runs.take()
