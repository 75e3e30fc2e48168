"""The ids of an acquisition that receivers share: where it begins, and which of them are missing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from repstream.accounting import IdRun
from repstream.files.gaps import GapLog, Range, joined
from repstream.service.receivers.judging import Judging

SETTLE_TIME = 0.5
"""Seconds for which receivers that have images wait for the first ones of the others."""


class SharedIds:
    """`first` is agreed when each receiver has an image, or those that have none have had their time.

    It is the lowest first id, but none that came to a receiver before its gate was open: that one has left
    out images which would be missing. `id_step` is the distance of the source's ids, `image_step` that of
    the images; all times are monotonic.
    """

    def __init__(self, receivers: int, id_step: int, image_step: int) -> None:
        self.first: int | None = None
        self.gaps = GapLog(id_step)
        self._step = image_step
        self._ids = Judging(receivers, self.gaps)
        self._firsts: dict[int, tuple[int, int | None]] = {}
        self._since = 0.0
        self._early: list[tuple[int, Sequence[IdRun]]] = []

    def note_first(self, receiver: int, first: int, before: int | None, now: float) -> None:
        """A receiver has its first image; `before`: the last id before its gate was open."""
        if not self._firsts:
            self._since = now
        self._firsts[receiver] = (first, before)

    def settle(self, awaited: Collection[int], most: int, now: float) -> bool:
        """Agree on the first id if it is time; whether it is known since this call.

        `awaited`: the receivers that may get images. `most`: how many images there may be, 0 for any number.
        """
        if self.first is not None or not self._firsts:
            return False
        if set(awaited) - self._firsts.keys() and now - self._since < SETTLE_TIME:
            return False
        first = min(first for first, _ in self._firsts.values())
        for own, before in self._firsts.values():
            if before is not None and first <= before < own:
                least = before + 1
                first = max(first, least + (own - least) % self._step)
        self.first = first
        for receiver, runs in self._early:
            self._ids.add(receiver, self._clipped(runs, most), now)
        self._early.clear()
        return True

    def note(self, receiver: int, runs: Sequence[IdRun], most: int, now: float, *, held: bool) -> None:
        """What came to a receiver since the last time; `held`: it is held up."""
        busy = bool(runs) or held
        if self.first is None:
            self._early.append((receiver, runs))
            self._ids.note(receiver, (), now, busy=busy)
        else:
            self._ids.note(receiver, self._clipped(runs, most), now, busy=busy)

    def begin(self, receiver: int) -> None:
        """A receiver is to take images from now on."""
        self._ids.begin(receiver)

    def lose(self, receiver: int) -> None:
        """A receiver died."""
        self._ids.lose(receiver)

    def judge(self) -> None:
        """Judge what no receiver can come before any more."""
        self._ids.judge()

    def close(self) -> None:
        """No more ids come."""
        self._ids.finish()

    def missing_but(self, there: Collection[int]) -> list[Range]:
        """The ids that are missing, without those that are `there` though nobody has said so."""
        if not there:
            return self.gaps.missing_ids
        ids = (frame_id for low, high in self.gaps.missing_ids for frame_id in range(low, high + 1))
        return joined([(frame_id, frame_id) for frame_id in ids if frame_id not in there], [])

    def _clipped(self, runs: Sequence[IdRun], most: int) -> Iterator[IdRun]:
        """Those ids that belong to the acquisition."""
        first = self.first or 0
        stop = first + most * self._step if most else None
        for run in runs:
            skipped = max(0, -((run.first - first) // run.step))
            end = run.length if stop is None else min(run.length, -((run.first - stop) // run.step))
            if end > skipped:
                yield IdRun(run.first + skipped * run.step, run.step, end - skipped)
