"""What became of every frame: gaps in the numbering, and ledgers whose sums hold exactly.

Input:  messages = frames + malformed + other
Output: offered = sent + skipped + dropped + queued

Each method of a ledger books one event on both sides of its equation, so that the sums hold
after every call. `sent` means handed to the socket, or written for a writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

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

    def _repeat(self, frame_id: int) -> None:
        """An id came again."""
        self.duplicates += 1


class InputSnapshot(msgspec.Struct, frozen=True):
    """An input's counts at one moment: messages = frames + the sums of `malformed` and `other`.

    `malformed` counts by reason, `other` good messages without an image by kind. `late` ones
    are no longer in `missing`, which ends at 2^64-1.
    `nbytes` counts all messages, whatever is in them. `last_time` is that of the last frame.
    """

    messages: int
    frames: int
    malformed: Mapping[str, int]
    missing: int
    duplicates: int
    late: int
    resets: int
    nbytes: int
    last_frame_id: int | None
    last_time: float | None
    other: Mapping[str, int] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class InputLedger:
    """Counts what an input received. `last_time` is the time given with the last frame."""

    messages: int = 0
    frames: int = 0
    nbytes: int = 0
    last_frame_id: int | None = None
    last_time: float | None = None
    malformed: dict[str, int] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)
    gaps: GapTracker = field(default_factory=GapTracker)

    def book_frame(self, frame_id: int, nbytes: int, now: float) -> Verdict:
        """A frame came; `nbytes` is the total size of its parts."""
        self.messages += 1
        self.frames += 1
        self.nbytes += nbytes
        self.last_frame_id = frame_id
        self.last_time = now
        return self.gaps.observe(frame_id)

    def book_malformed(self, reason: str, nbytes: int) -> None:
        """A message came that is no frame; `reason` is that of `MalformedMessage`."""
        self.messages += 1
        self.nbytes += nbytes
        self.malformed[reason] = self.malformed.get(reason, 0) + 1

    def book_other(self, kind: str, nbytes: int) -> None:
        """A good message without an image came; `kind` is one of a few fixed words."""
        self.messages += 1
        self.nbytes += nbytes
        self.other[kind] = self.other.get(kind, 0) + 1

    def snapshot(self) -> InputSnapshot:
        return InputSnapshot(
            messages=self.messages,
            frames=self.frames,
            malformed=dict(self.malformed),
            missing=self.gaps.missing,
            duplicates=self.gaps.duplicates,
            late=self.gaps.late,
            resets=self.gaps.resets,
            nbytes=self.nbytes,
            last_frame_id=self.last_frame_id,
            last_time=self.last_time,
            other=dict(self.other),
        )


class OutputSnapshot(msgspec.Struct, frozen=True):
    """An output's counts at one moment: offered = sent + queued + the sums of `skipped` and `dropped`.

    `skipped` and `dropped` count by reason. `nbytes_sent` belongs to `sent`, `last_frame_id`
    is that of the last frame sent. `kept` ones, which wait to begin a file, are among `queued`.
    """

    offered: int
    sent: int
    skipped: Mapping[str, int]
    dropped: Mapping[str, int]
    queued: int
    nbytes_sent: int
    last_frame_id: int | None
    kept: int = 0


@dataclass(slots=True)
class OutputLedger:
    """Counts what became of every frame, or other message, that reached one output.

    A frame arrives by exactly one of `book_skipped`, `book_dropped`, `book_queued` and
    `book_kept`; a queued one leaves by exactly one of `book_sent` and `book_discarded`, a kept
    one by `book_released`, or by `book_offered_again` to arrive once more.
    """

    offered: int = 0
    sent: int = 0
    queued: int = 0
    kept: int = 0
    nbytes_sent: int = 0
    last_frame_id: int | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def book_skipped(self, reason: str) -> None:
        """A frame arrived and is left out as planned: ``policy``, ``gate``, ``duplicate``."""
        self.offered += 1
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def book_dropped(self, reason: str) -> None:
        """A frame arrived and is lost at once: ``queue``, ``shape``, ``parts``, ``storage``."""
        self.offered += 1
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def book_queued(self, frames: int = 1) -> None:
        """Frames arrived and wait."""
        self.offered += frames
        self.queued += frames

    def book_passed(self, frame_id: int | None, nbytes: int) -> None:
        """A frame arrived and was handed to the socket at once: `book_queued` and `book_sent` in one."""
        self.offered += 1
        self.sent += 1
        self.nbytes_sent += nbytes
        if frame_id is not None:
            self.last_frame_id = frame_id

    def book_sent(self, frame_id: int | None, nbytes: int, frames: int = 1) -> None:
        """Waiting frames were handed to the socket, or are in the file: `nbytes` bytes in all.

        `frame_id` is that of the last of them; None: it was no frame.
        """
        self._leave_queue(frames)
        self.sent += frames
        self.nbytes_sent += nbytes
        if frame_id is not None:
            self.last_frame_id = frame_id

    def book_discarded(self, reason: str, frames: int = 1) -> None:
        """Waiting frames are lost: ``queue`` (oldest dropped), ``abort``, ``storage``."""
        if frames:
            self._leave_queue(frames)
            self.dropped[reason] = self.dropped.get(reason, 0) + frames

    def book_kept(self) -> None:
        """A frame arrived and is kept in case that a file begins with it."""
        self.offered += 1
        self.kept += 1

    def book_released(self, reason: str) -> None:
        """The oldest kept frame is left out after all: ``gate``, ``idle``."""
        self._unkeep()
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def book_offered_again(self) -> None:
        """The oldest kept frame is taken up: it counts as not yet arrived."""
        self._unkeep()
        self.offered -= 1

    def snapshot(self) -> OutputSnapshot:
        return OutputSnapshot(
            offered=self.offered,
            sent=self.sent,
            skipped=dict(self.skipped),
            dropped=dict(self.dropped),
            queued=self.queued + self.kept,
            kept=self.kept,
            nbytes_sent=self.nbytes_sent,
            last_frame_id=self.last_frame_id,
        )

    def _unkeep(self) -> None:
        if self.kept < 1:
            raise ValueError("no frame is kept")
        self.kept -= 1

    def _leave_queue(self, frames: int) -> None:
        if not 0 < frames <= self.queued:
            raise ValueError(f"{frames} frames cannot leave a queue of {self.queued}")
        self.queued -= frames
