"""What a frame's id says: whether frames are missing before it, and whether it came late or again."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

WINDOW = 1024
"""How many ids back a repeated or late frame is still known as such."""

COUNT_LIMIT = 2**64 - 1
"""What a count ends at: no wire and no file carries more. Only `missing` gets there."""

SETTLING = 16
"""How many ids before its first one a numbering may still turn out to begin, and among how many."""


class Verdict(Enum):
    """What a frame's id says about it.

    AGAIN: the first id of the numbering came again. Until the next frame nobody knows whether that is
    a repeat or a numbering that begins anew; it counts as a repeat. ANEW, of the next frame: it was no
    repeat, the two begin a numbering.
    """

    NEW = "new"
    DUPLICATE = "duplicate"
    LATE = "late"
    RESET = "reset"
    AGAIN = "again"
    ANEW = "anew"


_NEW = Verdict.NEW
_UNKNOWN = -1


class Run(NamedTuple):
    """Ids from `first` up to `next` without a gap that may begin a numbering; `late` of them came late."""

    first: int
    next: int
    late: int


class GapTracker:
    """Distinguishes lost, late and repeated frames by their ids (0 … 2^64-1).

    The ids of a numbering are `step` apart. The window is the last 1,024 of them up to the highest.
    In it, an id seen before is a duplicate and one that was missing is late and lowers `missing`.
    Every id that is jumped over within a numbering counts as missing; nothing is missing between two.

    A source may say where a numbering begins and how many ids it has (`begin_series`, `end_series`):
    then those before the first that came and, at its end, those after the last are missing, too. Otherwise
    a numbering begins with the first frame, and anew (`resets`)

    - with an id further back than the window, or between two of the ids;
    - with an id below the first, but for the `SETTLING` ids before it while the numbering is not longer
      than that: frames may overtake each other, and these are late;
    - where the first id comes again (or one that is late in that way) and the next frames go on from it, one
      step each, to an id that came before. The first id alone is a repeat, and so is it where the
      numbering has no second id: 0, 0, 0 is one frame that came three times.

    Constant time for a frame; a jump costs up to 1,024 steps. Not thread-safe.
    """

    __slots__ = (
        "_first",
        "_former",
        "_holes",
        "_is_said",
        "_missing",
        "_next",
        "_resume",
        "_run",
        "_stop",
        "duplicates",
        "late",
        "resets",
        "series",
        "step",
    )

    def __init__(self, step: int = 1) -> None:
        if step < 1:
            raise ValueError(f"step = {step}: must be 1 or more")
        self.step = step
        self._missing = 0
        self.duplicates = 0
        self.late = 0
        self.resets = 0
        self.series = 0
        self._first = 0
        self._former = _UNKNOWN
        # The id that follows the highest; unknown before the first, and while there is a run.
        self._next = _UNKNOWN
        self._resume = _UNKNOWN
        self._run: Run | None = None
        self._is_said = False
        self._stop = _UNKNOWN
        # Ids missing within the window; older ones are left in until a jump tidies up.
        self._holes: set[int] = set()

    @property
    def missing(self) -> int:
        """Ids jumped over and not seen since, 2^64-1 at most: a source may jump to and fro over all ids."""
        return min(self._missing, COUNT_LIMIT)

    def observe(self, frame_id: int) -> Verdict:
        """Book one frame's id and say what it is."""
        if frame_id == self._next:
            self._next = frame_id + self.step
            return _NEW
        return self._observe_other(frame_id)

    def expects(self, frame_id: int) -> bool:
        """Whether this is the id that follows the last one without a gap or a doubt."""
        return frame_id == self._next

    def observe_run(self, count: int) -> None:
        """Book `count` ids that begin with the expected one and follow each other without a gap."""
        self._next += count * self.step

    @property
    def oldest(self) -> int:
        """The first id of the window; negative where none is further back."""
        return (self._next if self._run is None else self._resume) - WINDOW * self.step

    def observe_old(self, ids: range) -> None:
        """Book ids of the numbering that lie before the window, and that somebody knows to be late."""
        self._holes.difference_update(ids)
        before = range(ids.start, min(ids.stop, self._first), ids.step)  # was never missing
        self._book_late(len(ids), len(ids) - len(before))

    def observe_earlier(self, ids: range) -> None:
        """Book ids of the numbering before; up to its highest id they were missing in it."""
        self._book_late(len(ids), len(range(ids.start, min(ids.stop, self._former), ids.step)))

    def begin_series(self, images: int | None = None) -> None:
        """A numbering begins with id 0; of `images` ids where the source says so.

        Where the ids are more than 1 apart others get the rest of them, so the first one is not known.
        """
        self.end_series()
        if self.step > 1:
            self._next = _UNKNOWN
            return
        self._begin(0)
        self._next, self._is_said = 0, True
        self._stop = _UNKNOWN if images is None else images

    def end_series(self) -> None:
        """The numbering that `begin_series` said is over: what did not come until now is missing."""
        self._leave_run()
        if self._is_said and self._next < self._stop:
            self._skip(self._stop)
            self._next = self._stop

    def _observe_other(self, frame_id: int) -> Verdict:
        run = self._leave_run()
        if run is not None and frame_id == run.next and (not run.late or self._has_come(frame_id)):
            self._begin_anew(run)
            return Verdict.ANEW
        if frame_id == self._next:
            self._next = frame_id + self.step
            return Verdict.NEW
        if self._next == _UNKNOWN:
            self._begin(frame_id)
            return Verdict.NEW
        if frame_id > self._next and (frame_id - self._first) % self.step == 0:
            self._skip(frame_id)
            self._next = frame_id + self.step
            return Verdict.NEW
        return self._look_back(frame_id, run)

    def _look_back(self, frame_id: int, run: Run | None) -> Verdict:
        """Book an id that is not beyond the highest."""
        if self._is_just_before(frame_id):
            self._extend(frame_id)
            self._enter_run(Run(frame_id, frame_id + self.step, 1))
            return Verdict.LATE
        if not self._is_near(frame_id):
            self.resets += 1
            self._begin(frame_id)
            return Verdict.RESET
        if frame_id in self._holes:
            self._fill(frame_id)
            if run is not None and frame_id == run.next:
                self._enter_run(Run(run.first, frame_id + self.step, run.late + 1))
            return Verdict.LATE
        self._repeat(frame_id)
        if frame_id > self._first or self._is_said or self._next <= frame_id + self.step:
            return Verdict.DUPLICATE
        self._enter_run(Run(frame_id, frame_id + self.step, 0))
        return Verdict.AGAIN

    def _is_near(self, frame_id: int) -> bool:
        """Whether an id below the next one belongs to the numbering, and lies in the window."""
        step = self.step
        oldest = max(self._first, self._next - WINDOW * step)
        return frame_id >= oldest and (frame_id - self._first) % step == 0

    def _is_just_before(self, frame_id: int) -> bool:
        """Whether an id below the first may belong to a numbering that has just begun."""
        first, most = self._first, SETTLING * self.step
        return (
            0 < first - frame_id <= most
            and self._next - first <= most
            and (first - frame_id) % self.step == 0
            and not self._is_said
        )

    def _has_come(self, frame_id: int) -> bool:
        return frame_id < self._next and self._is_near(frame_id) and frame_id not in self._holes

    def _enter_run(self, run: Run) -> None:
        self._run, self._resume, self._next = run, self._next, _UNKNOWN

    def _leave_run(self) -> Run | None:
        run = self._run
        if run is not None:
            self._run, self._next = None, self._resume
        return run

    def _begin(self, frame_id: int) -> None:
        self._former = self._next
        self.series += 1
        self._first = frame_id
        self._next = frame_id + self.step
        self._is_said = False
        self._holes.clear()

    def _begin_anew(self, run: Run) -> None:
        """The run was no repeat and not late: it begins a numbering."""
        if not run.late:
            self.duplicates -= 1
        self.late -= run.late
        self.resets += 1
        self._begin(run.first)
        self._next = run.next + self.step

    def _skip(self, frame_id: int) -> None:
        """The ids from the next one up to this are missing."""
        step = self.step
        oldest = frame_id - (WINDOW - 1) * step
        self._missing += (frame_id - self._next) // step
        if len(self._holes) > WINDOW:
            self._holes = {hole for hole in self._holes if hole >= oldest}
        self._holes.update(range(max(self._next, oldest), frame_id, step))

    def _extend(self, frame_id: int) -> None:
        """The numbering begins with this id, below that which was the first."""
        between = range(frame_id + self.step, self._first, self.step)
        self._missing += len(between)
        self._holes.update(between)
        self._first = frame_id
        self.late += 1

    def _fill(self, frame_id: int) -> None:
        """An id that was missing came."""
        self._holes.remove(frame_id)
        self.late += 1
        self._missing -= 1

    def _book_late(self, count: int, missed: int) -> None:
        self.late += count
        self._missing = max(0, self._missing - missed)

    def _repeat(self, frame_id: int) -> None:
        """An id came again."""
        self.duplicates += 1
