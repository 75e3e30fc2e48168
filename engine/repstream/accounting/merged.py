"""The ids that several receivers of one source got, judged as if one had got them all. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from repstream.accounting.gap_tracker import GapTracker
from repstream.accounting.id_runs import IdRun
from repstream.accounting.own_numberings import OwnNumberings, Placed

MOST_APART = 100_000
"""Ids that are judged before a receiver whose numbering seems to have begun anew, at most."""


class MergedTracker:
    """Gaps, repeats and late frames over all receivers: each tells its ids in its own order (`add`).

    The ids are put into one order and given to a `GapTracker`, whose rules hold. In it each receiver's
    own order is kept; of the next ids of all, the lowest comes first, but a numbering that begins anew at
    one receiver waits until it has at the others. So an id is judged (`judge`) when every receiver has
    something that follows, or is silent: nothing is expected of it now.

    An id that lies far back is late where its receiver says that no numbering has begun in between: it
    came over a connection that stood still while nothing was awaited from it.

    Frames that overtake each other on their way to different receivers are not late: nobody sees that. A
    numbering that begins anew is known by an id far back, or near the first one with one more that
    came before.
    """

    def __init__(self, receivers: int, gaps: GapTracker) -> None:
        self.gaps, step = gaps, gaps.step
        self._arrivals = [_Arrivals(step, receivers * step) for _ in range(receivers)]
        self._numbering = self._judged = 0  # that which is awaited, and that of the last id
        self._ahead = 0

    @property
    def receivers(self) -> int:
        return len(self._arrivals)

    @property
    def pending(self) -> int:
        """Ids that are not judged yet."""
        return sum(arrivals.pending for arrivals in self._arrivals)

    def add(self, receiver: int, runs: Iterable[IdRun]) -> None:
        """Note what a receiver got since the last time."""
        for run in runs:
            self._arrivals[receiver].add(run)

    def judge(self, silent: Collection[int] = ()) -> None:
        """Judge all ids that nothing can come before; of receivers that are `silent` nothing is awaited."""
        for number in silent:
            self._arrivals[number].end_doubt()
        for arrivals in self._arrivals:
            for ids in arrivals.drop_earlier(self._numbering):
                self.gaps.observe_earlier(ids)
        while heads := self._heads(silent):
            self._feed(heads)

    def _heads(self, silent: Collection[int]) -> list[_Arrivals]:
        """Those whose next ids are due, of the lowest numbering; none where one is to be awaited."""
        heads: list[_Arrivals] = []
        for number, arrivals in enumerate(self._arrivals):
            if arrivals.runs:
                heads.append(arrivals)
            elif arrivals.pending or number not in silent:
                return []
        if not heads:
            return []
        for arrivals in heads:
            # Others may have gone on without this one.
            arrivals.renumber(self._numbering)
        lowest = min(arrivals.runs[0][0] for arrivals in heads)
        due = [arrivals for arrivals in heads if arrivals.runs[0][0] == lowest]
        if lowest > self._numbering or len(due) == len(heads):
            self._numbering, self._ahead = lowest, 0
        elif self._ahead > MOST_APART:
            return heads  # it was no other numbering
        return due

    def _feed(self, heads: list[_Arrivals]) -> None:
        """Give the tracker the lowest id, and all that follow before the next one of another receiver."""
        heads.sort(key=lambda arrivals: arrivals.runs[0][1].first)
        runs = [arrivals.runs[0][1] for arrivals in heads]
        if count := self._in_turn(runs):
            self.gaps.observe_run(count * len(runs))
            self._judged = heads[-1].runs[0][0]
            for arrivals in heads:
                arrivals.drop(count)
            self._ahead += count * len(runs)
            return
        first, step, count = runs[0]
        before, self._judged = self._judged, heads[0].runs[0][0]
        if len(runs) > 1:
            count = min(count, max(1, -((first - runs[1].first) // step)))
        if first < self.gaps.oldest and heads[0].is_known and self._judged == before:
            count = min(count, -((first - self.gaps.oldest) // step))
            self.gaps.observe_old(range(first, first + count * step, step))
        elif step == self.gaps.step and self.gaps.expects(first):
            self.gaps.observe_run(count)
        else:
            for frame_id in range(first, first + count * step, step):
                self.gaps.observe(frame_id)
        heads[0].drop(count)
        self._ahead += count

    def _in_turn(self, runs: Sequence[IdRun]) -> int:
        """How many ids of each of these runs follow each other in turn without a gap; 0 for none."""
        step = self.gaps.step
        if len(runs) < 2 or not self.gaps.expects(runs[0].first):
            return 0
        for place, run in enumerate(runs):
            if run.step != step * len(runs) or run.first != runs[0].first + place * step:
                return 0
        return min(run.length for run in runs)


class _Arrivals:
    """The ids of one receiver that are not judged yet, each with the numbering that it belongs to."""

    def __init__(self, step: int, slack: int) -> None:
        self.runs: deque[Placed] = deque()
        self._own = OwnNumberings(step, slack)
        self.is_known = False  # whether an id of it was judged: of the first one nobody knows what it begins

    @property
    def pending(self) -> int:
        return sum(run.length for _, run in self.runs) + self._own.in_doubt

    def add(self, run: IdRun) -> None:
        self.runs.extend(self._own.place(run))

    def end_doubt(self) -> None:
        self.runs.extend(self._own.end_doubt())

    def renumber(self, least: int) -> None:
        """The first run belongs to this numbering at least, and those that follow to as many later ones."""
        later = least - self.runs[0][0]
        if later > 0:
            self._own.number += later
            self.runs = deque((numbering + later, run) for numbering, run in self.runs)

    def drop_earlier(self, numbering: int) -> Iterator[range]:
        """Leave out the ids from before this numbering, which began here, too, behind them."""
        while self.runs and self.runs[0][0] < numbering <= self._own.number:
            first, step, count = self.runs.popleft()[1]
            yield range(first, first + count * step, step)

    def drop(self, count: int) -> None:
        """The first `count` ids of the first run are judged."""
        numbering, (first, step, had) = self.runs.popleft()
        self.is_known = True
        if count < had:
            self.runs.appendleft((numbering, IdRun(first + count * step, step, had - count)))
