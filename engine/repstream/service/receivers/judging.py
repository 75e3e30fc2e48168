"""When the ids of several receivers can be judged: nothing still to come belongs before them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from repstream.accounting import GapTracker, IdRun, MergedTracker

SILENCE = 0.5
"""Seconds for which a receiver has to say that it brings no id, while ids of others wait for it."""


class Judging:
    """Notes what receivers say, and has `gaps` judge each id when its turn has come.

    Of a receiver that says nothing at all nobody knows what it has: it is awaited. All times are monotonic
    seconds.
    """

    def __init__(self, receivers: int, gaps: GapTracker) -> None:
        self._tracker = MergedTracker(receivers, gaps)
        self._busy: list[float | None] = [None] * receivers
        self._said = [-math.inf] * receivers
        self._since = 0.0  # when the first of the ids came that wait

    @property
    def receivers(self) -> int:
        return self._tracker.receivers

    def note(self, receiver: int, runs: Iterable[IdRun], time: float, *, busy: bool) -> None:
        """A receiver reports its new ids; `busy`: it has any, or is held up from taking some."""
        if busy or self._busy[receiver] is None:
            self._busy[receiver] = time
        self._said[receiver] = time
        self.add(receiver, runs, time)

    def add(self, receiver: int, runs: Iterable[IdRun], time: float) -> None:
        """Ids of a receiver that it reported earlier."""
        if not self._tracker.pending:
            self._since = time
        self._tracker.add(receiver, runs)

    def begin(self, receiver: int) -> None:
        """Ids may come to a receiver from now on, of which it says nothing before its first report."""
        self._busy[receiver] = None

    def lose(self, receiver: int) -> None:
        """Nothing comes from a receiver until it begins, or brings ids again."""
        self._busy[receiver], self._said[receiver] = -math.inf, math.inf

    def judge(self) -> None:
        """Judge what no receiver can come before any more."""
        self._tracker.judge(
            {
                receiver
                for receiver, (busy, said) in enumerate(zip(self._busy, self._said, strict=True))
                if busy is not None and said - max(busy, self._since) >= SILENCE
            }
        )

    def finish(self) -> None:
        """No more ids come: judge all."""
        self._tracker.judge(range(self.receivers))
