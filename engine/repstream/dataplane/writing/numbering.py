"""The ids that came for one acquisition: repeats, gaps, and where each image goes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from repstream.accounting import COUNT_LIMIT, IdRun, Verdict
from repstream.dataplane.storing.placement import Place, Placement
from repstream.files.gaps import GapLog, Range
from repstream.messages.frame import Frame


class Numbering:
    """Each opening of the gate begins a numbering of ids, `step` apart, and so does a series of a detector.

    So a detector that numbers from 0 again for each opening is not taken for one that repeats
    itself, and what passes while the gate is shut is not missing. `by_id`: the id of an image decides
    on its place in the file; otherwise images are stored in the order of their arrival. `is_shared`: other
    receivers take other images.
    """

    is_shared = False

    def __init__(self, step: int = 1, by_id: bool = False) -> None:
        self._step = step
        self._placement = Placement(step) if by_id else None
        self._gaps = GapLog(step)
        self._earlier: list[GapLog] = []

    @property
    def by_id(self) -> bool:
        """Whether ids decide on places."""
        return self._placement is not None

    @property
    def is_settled(self) -> bool:
        """Whether an image can get its place; with `by_id` not before the first id is known (`settle`)."""
        return self._placement is None or self._placement.is_begun

    def open(self) -> None:
        """The gate opens."""
        self._earlier.append(self._gaps)
        self._gaps = GapLog(self._step)
        self._begin_places(None)

    def begin_series(self, images: int | None) -> None:
        """A series begins while the gate is open, or before the first frame of an opening.

        `images`: how many there will be, None where nobody said.
        """
        self._gaps.begin_series(images)
        self._begin_places(0 if self._step == 1 else None)

    def end_series(self) -> None:
        """The series is over: of those that it should have, what did not come is missing now."""
        self._gaps.end_series()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing since the last opening."""
        return self._gaps.missing == 0

    def observe(self, frame_id: int) -> Verdict:
        """Book a frame that came while the gate was open."""
        return self._gaps.observe(frame_id)

    def begin_anew(self) -> None:
        """The numbering began anew by itself: places go on behind the last one."""
        self._begin_places(None)

    def settle(self, first: int) -> None:
        """The numbering begins with this id."""
        self._begin_places(first)

    def place(self, frame_id: int) -> Place | None:
        """Where an image goes when its id decides; None where it came too late for a place."""
        assert self._placement is not None
        return self._placement.place(frame_id)

    def end_before(self, place: Place, limit: int, frame_id: int) -> None:
        """The places end at `limit`, and a frame is beyond: no id that has no place is missing."""
        if limit >= place.base:
            self._gaps.end_before(place.id_at(limit, frame_id))

    def continue_with(self, frames: Sequence[Frame]) -> bool:
        """Whether these go on without a gap from the last one, in order of arrival; they are not booked."""
        first, step = frames[0].frame_id, self._step
        return (
            self._placement is None
            and self._gaps.expects(first)
            and [f.frame_id for f in frames] == list(range(first, first + step * len(frames), step))
        )

    def book_run(self, count: int) -> None:
        """Count frames whose ids continue from the last one."""
        self._gaps.observe_run(count)

    @property
    def missing(self) -> int:
        return min(self._gaps.missing + sum(gaps.missing for gaps in self._earlier), COUNT_LIMIT)

    @property
    def late(self) -> int:
        return self._gaps.late + sum(gaps.late for gaps in self._earlier)

    @property
    def resets(self) -> int:
        return self._gaps.resets + sum(gaps.resets for gaps in self._earlier)

    @property
    def missing_ids(self) -> list[Range]:
        """The ids that are missing, in the order of the openings."""
        return [gap for gaps in (*self._earlier, self._gaps) for gap in gaps.missing_ids]

    @property
    def series(self) -> int:
        """How many times the numbering began, by an opening, a series or by itself."""
        return self._gaps.series + sum(gaps.series for gaps in self._earlier)

    def take_runs(self) -> tuple[IdRun, ...]:
        """The ids since the last time, where the acquisition is shared."""
        return ()

    def _begin_places(self, first: int | None) -> None:
        if self._placement is not None:
            self._placement.begin(first)
