"""The ids that one of several receivers got, as runs: what it reports, for others to judge."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from repstream.accounting.gap_tracker import Verdict

REMEMBERED = 256
"""Runs in which a repeat is still known as such. One is as long as nothing is lost."""

_NEW = Verdict.NEW
_UNKNOWN = -1


class IdRun(NamedTuple):
    """`length` ids from `first` on, `step` apart, in order of arrival."""

    first: int
    step: int
    length: int

    @property
    def last(self) -> int:
        return self.first + (self.length - 1) * self.step

    def __contains__(self, frame_id: object) -> bool:
        if not isinstance(frame_id, int):
            return False
        number, between = divmod(frame_id - self.first, self.step)
        return not between and 0 <= number < self.length


class RunLog:
    """Stands for a `GapTracker` where other receivers get the ids in between: it counts no gaps.

    What came is handed out by `take`. The step of a run is the distance of its first two ids, so frames
    that are shared in turn are one run. Of its verdicts, NEW, LATE and DUPLICATE are of this receiver
    alone. Constant time for a frame. Not thread-safe.
    """

    __slots__ = ("_count", "_done", "_first", "_high", "_next", "_recent", "_step")

    missing = duplicates = late = resets = 0

    def __init__(self) -> None:
        self._first = self._next = self._high = _UNKNOWN  # `_high`: of the runs that are over
        self._step = 1
        self._count = 0
        self._done: list[IdRun] = []
        self._recent: deque[IdRun] = deque(maxlen=REMEMBERED)

    def observe(self, frame_id: int) -> Verdict:
        """Note one frame's id, and say what it is among those that this receiver got."""
        if frame_id == self._next:
            self._count += 1
            self._next = frame_id + self._step
            return _NEW if frame_id > self._high else self._look_back(frame_id)
        if self._count == 1 and frame_id > self._first:
            self._step, self._count = frame_id - self._first, 2
            self._next = frame_id + self._step
        else:
            self._close()
            self._first, self._step, self._count, self._next = frame_id, 1, 1, _UNKNOWN
        return _NEW if frame_id > self._high else self._look_back(frame_id)

    def expects(self, frame_id: int) -> bool:
        """Whether this is the id with which the present run goes on, higher than all before."""
        return frame_id == self._next and frame_id > self._high

    @property
    def step(self) -> int:
        """The distance of the ids in the present run."""
        return self._step

    def observe_run(self, count: int) -> None:
        """Note `count` ids, the expected one and those that follow it at the distance of the run."""
        self._count += count
        self._next += count * self._step

    def begin_series(self, images: int | None = None) -> None:
        """A series begins: its message reached one receiver only, so ids alone count."""

    def end_series(self) -> None:
        """A series is over; see `begin_series`."""

    def take(self) -> tuple[IdRun, ...]:
        """The runs since the last time; what follows goes on from there."""
        self._close()
        self._first = self._next
        taken, self._done = self._done, []
        return tuple(taken)

    def _close(self) -> None:
        if self._count:
            run = IdRun(self._first, self._step, self._count)
            self._done.append(run)
            self._recent.append(run)
            self._high = max(self._high, run.last)
            self._count = 0

    def _look_back(self, frame_id: int) -> Verdict:
        """What an id is that is not higher than all before."""
        return Verdict.DUPLICATE if any(frame_id in run for run in self._recent) else Verdict.LATE
