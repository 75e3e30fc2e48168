"""Which ids never came, as ranges. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import ClassVar

from repstream.accounting import GapTracker, Run

Range = tuple[int, int]
"""First and last number, both included."""

TEXT_BYTES = 8192
"""Room for the ranges as text in a file."""

MORE = ",..."
"""Ends a text of ranges that were too many for their room."""


def _around(number: int, first: int, stop: int) -> list[Range]:
    """What is left of `first` … `stop` - 1 without a number of it: up to two runs, each with its stop."""
    parts = (first, number), (number + 1, stop)
    return [(low, high) for low, high in parts if low < high]


class Ranges:
    """A set of numbers in which long runs take little room; it grows at its upper end."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        """How many runs, not how many numbers."""
        return len(self._firsts)

    def __iter__(self) -> Iterator[Range]:
        return ((first, stop - 1) for first, stop in zip(self._firsts, self._stops, strict=True))

    def add(self, first: int, stop: int) -> None:
        """Put in `first` … `stop` - 1, which lie above all that is there."""
        if first >= stop:
            return
        if self._stops and self._stops[-1] == first:
            self._stops[-1] = stop
        else:
            self._firsts.append(first)
            self._stops.append(stop)

    def remove(self, number: int) -> bool:
        """Take a number out; whether it was there."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number >= self._stops[at]:
            return False
        kept = _around(number, self._firsts[at], self._stops[at])
        self._firsts[at : at + 1] = [first for first, _ in kept]
        self._stops[at : at + 1] = [stop for _, stop in kept]
        return True

    def cut(self, stop: int) -> int:
        """Take out `stop` and all above it; how many there were."""
        taken = 0
        while self._stops and self._stops[-1] > stop:
            first, end = self._firsts.pop(), self._stops.pop()
            self.add(first, stop)
            taken += end - max(first, stop)
        return taken


class GapLog(GapTracker):
    """A `GapTracker` that also remembers which ids are missing and which came twice.

    Of each the first 100,000 (of the missing: ranges in a numbering) are remembered; the counts
    are exact. With a `step` beyond 1 every missing id is a range of its own.
    """

    MOST: ClassVar[int] = 100_000

    __slots__ = ("_closed", "_open", "repeated")

    def __init__(self, step: int = 1) -> None:
        super().__init__(step)
        self.repeated: list[int] = []
        self._closed: list[Range] = []
        self._open = Ranges()

    @property
    def missing_ids(self) -> list[Range]:
        """The ids that are missing now, numbering after numbering."""
        return [*self._closed, *self._open_ids()]

    def observe_old(self, ids: range) -> None:
        for frame_id in ids:
            self._open.remove(self._number(frame_id))
        super().observe_old(ids)

    def observe_earlier(self, ids: range) -> None:
        for frame_id in ids:
            self._close(frame_id)
        super().observe_earlier(ids)

    def end_before(self, frame_id: int) -> None:
        """Of this numbering this id and those above it are not awaited, so none of them is missing.

        Where more ranges than are remembered were missing, those beyond are still counted.
        """
        self._missing -= self._open.cut(self._number(frame_id))
        self._holes = {hole for hole in self._holes if hole < frame_id}

    def _open_ids(self) -> Iterator[Range]:
        first, step = self._first, self.step
        if step == 1:
            return ((first + low, first + high) for low, high in self._open)
        ids = (first + number * step for low, high in self._open for number in range(low, high + 1))
        return ((missing, missing) for missing in islice(ids, self.MOST))

    def _close(self, frame_id: int) -> None:
        """An id of the numbering before came after all."""
        for at in reversed(range(len(self._closed))):
            first, last = self._closed[at]
            if first <= frame_id <= last:
                kept = _around(frame_id, first, last + 1)
                self._closed[at : at + 1] = [(low, stop - 1) for low, stop in kept]
                return

    def _begin(self, frame_id: int) -> None:
        self._closed, self._open = self.missing_ids, Ranges()
        super()._begin(frame_id)

    def _begin_anew(self, run: Run) -> None:
        if not run.late and self.repeated and self.repeated[-1] == run.first:
            self.repeated.pop()
        super()._begin_anew(run)

    def _skip(self, frame_id: int) -> None:
        if len(self._open) < self.MOST:
            self._open.add(self._number(self._next), self._number(frame_id))
        super()._skip(frame_id)

    def _extend(self, frame_id: int) -> None:
        shift = -self._number(frame_id)
        before, self._open = self._open, Ranges()
        self._open.add(1, shift)
        for first, last in before:
            self._open.add(first + shift, last + shift + 1)
        super()._extend(frame_id)

    def _fill(self, frame_id: int) -> None:
        self._open.remove(self._number(frame_id))
        super()._fill(frame_id)

    def _repeat(self, frame_id: int) -> None:
        if len(self.repeated) < self.MOST:
            self.repeated.append(frame_id)
        super()._repeat(frame_id)

    def _number(self, frame_id: int) -> int:
        """An id as a number from 0 within its numbering."""
        return (frame_id - self._first) // self.step


def joined(some: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The ranges of all numbers that are in one of the two, or in both."""
    found: list[Range] = []
    for first, last in sorted([*some, *others]):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def count(ranges: Iterable[Range]) -> int:
    """How many numbers are in ranges that do not overlap."""
    return sum(last - first + 1 for first, last in ranges)


def as_text(ranges: Iterable[Range], room: int = TEXT_BYTES) -> str:
    """``3,7-9``; where that takes more than `room` bytes, as many as fit and ``,...``."""
    text = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    if len(text) <= room:
        return text
    return text[: text.rindex(",", 0, room - len(MORE) + 1)] + MORE


def from_text(text: str) -> list[Range]:
    """The ranges in `as_text`'s text. Raises ValueError for another text."""
    pieces = text.removesuffix(MORE).split(",") if text else []
    pairs = (piece.partition("-") for piece in pieces)
    return [(int(first), int(last or first)) for first, _, last in pairs]
