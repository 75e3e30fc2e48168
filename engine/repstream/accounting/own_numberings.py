"""Which numbering each id of one of several receivers belongs to. Pure."""

from __future__ import annotations

from repstream.accounting.gap_tracker import WINDOW
from repstream.accounting.id_runs import IdRun

Placed = tuple[int, IdRun]
"""A numbering, counted from 0, and ids of it."""


class OwnNumberings:
    """Says of the ids of one receiver, in its own order, to which numbering of the source they belong.

    `slack`: how far from the first id of a numbering a receiver may get its own first one, since others get
    those before. An id that may be a repeat or begin a numbering is in doubt until the next one.
    """

    __slots__ = ("_begun", "_doubtful", "_first", "_high", "_slack", "_window", "number")

    def __init__(self, step: int, slack: int) -> None:
        self.number = 0
        self._begun = False
        self._window, self._slack = WINDOW * step, slack
        self._first = self._high = 0
        self._doubtful: IdRun | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the last id waits for the next one to be placed."""
        return self._doubtful is not None

    @property
    def high(self) -> int:
        """The highest id of the present numbering."""
        return self._high

    def place(self, run: IdRun) -> list[Placed]:
        """What is known now: this run behind one that was in doubt, or neither of them."""
        placed = []
        if self._doubtful is not None:
            doubtful, self._doubtful = self._doubtful, None
            placed.append(self._placed(doubtful, begins=run.first <= self._high))
        if not self._begun:
            placed.append(self._placed(run, begins=True))
        elif run.first > self._high or self._is_late(run):
            placed.append(self._placed(run, begins=False))
        elif self._high - run.first > self._window:
            placed.append(self._placed(run, begins=True))
        elif run.length > 1:
            placed.append(self._placed(run, begins=run.first + run.step <= self._high))
        else:
            self._doubtful = run
        return placed

    def begin(self) -> None:
        """The next id begins a numbering, whatever it is; nothing may be in doubt."""
        self.number += self._begun
        self._begun = False

    def end_doubt(self) -> list[Placed]:
        """Nothing follows now that would say whether the last id begins a numbering: it repeats one."""
        if self._doubtful is None:
            return []
        doubtful, self._doubtful = self._doubtful, None
        return [self._placed(doubtful, begins=False)]

    def _is_late(self, run: IdRun) -> bool:
        """Whether an id that is not the highest can only belong to the numbering."""
        return self._high - run.first <= self._window and run.first > self._first + self._slack

    def _placed(self, run: IdRun, *, begins: bool) -> Placed:
        if begins:
            self.number += self._begun
            self._begun = True
            self._first, self._high = run.first, run.last
        self._high = max(self._high, run.last)
        return self.number, run
