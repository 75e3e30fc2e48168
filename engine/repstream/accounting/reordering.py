"""What several receivers bring, put into the order of its ids as far as limits allow. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from heapq import heappop, heappush
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from repstream.accounting.id_runs import IdRun
from repstream.accounting.own_numberings import OwnNumberings

T = TypeVar("T")

NEVER = float("inf")
PAUSE = 0.1
"""Where nobody brings anything for this share of the patience, nobody is missed."""
_BEFORE_ALL, _BEHIND_ALL = -1, 2**64
_NOTHING = -(2**64)
"""In place of the last id where nothing is out yet: no id follows it, since a beginning may still come."""

_Key = tuple[int, int]
"""A numbering and an id."""


class Kind(IntEnum):
    """What is put in order: frames by their ids, other messages by what their lane brought with them."""

    FRAME = 0
    BEGIN = 1  # a numbering begins
    END = 2  # a numbering is over
    OTHER = 3


class _Held(NamedTuple, Generic[T]):
    """An item that waits; compared by the first three, which no other has."""

    numbering: int
    frame_id: int
    number: int
    kind: Kind
    nbytes: int
    item: T


class _Arrived(NamedTuple, Generic[T]):
    """A frame, and when it came."""

    frame_id: int
    nbytes: int
    item: T
    came: float


class _Lane(Generic[T]):
    """One receiver from its start to its end.

    `reached`: the highest of what it has brought. `ahead`: how many numberings the others had begun when it
    was left behind. `missed_since`: when another one first brought something after it, or after the last
    pause of all. `doubtful`: a frame that repeats one or begins a numbering, which the next one will say.
    """

    __slots__ = ("ahead", "doubtful", "missed_since", "own", "reached")

    def __init__(self, own: OwnNumberings) -> None:
        self.own = own
        self.ahead = 0
        self.reached: _Key = (0, _BEFORE_ALL)
        self.missed_since: float | None = None
        self.doubtful: _Arrived[T] | None = None


class Reordering(Generic[T]):
    """Takes items of lanes, and hands them out in the order of their ids. Not thread-safe.

    The lowest id is due when it follows the last one (`step`), when each lane has brought a higher one or
    is silent, or when a limit is reached: something has waited for `patience` seconds, or what waits is more
    than `most` items or `most_bytes`. A lane is silent that has brought nothing for that time while others
    did without a pause (`PAUSE`). A frame that comes when a higher id is out already is `late` and not handed
    out; one with the id of the last one is no such frame.

    A numbering that begins anew follows the one before (`OwnNumberings`); a lane that the others have left
    behind goes on in theirs. All times are monotonic seconds.
    """

    def __init__(
        self, lanes: Iterable[int], step: int, *, patience: float, most: int, most_bytes: int
    ) -> None:
        self.late = 0
        self._step, self._patience = step, patience
        self._most, self._most_bytes = most, most_bytes
        names = tuple(lanes)
        self._slack = max(1, len(names)) * step
        self._lanes = {name: self._new_lane() for name in names}
        self._heap: list[_Held[T]] = []
        self._came: dict[int, float] = {}  # when, by number; the oldest first
        self._number = self._nbytes = self._in_doubt = 0
        self._last: _Key = (0, _NOTHING)
        self._heeded = set(names)  # lanes that are not missed
        self._heard = 0.0  # when anybody brought something last
        self._is_over = False

    def __len__(self) -> int:
        """Items that wait."""
        return len(self._heap) + self._in_doubt

    def add(self, lane: int, kind: Kind, frame_id: int, item: T, *, nbytes: int, now: float) -> None:
        """Take what a lane brings next; `frame_id` counts with a frame only."""
        which = self._lanes.get(lane)
        if which is None:
            which = self._lanes[lane] = self._new_lane()
        self._heed(lane, which, now)
        if kind is not Kind.FRAME:
            self._end_doubt(which)
            self._hold(self._place(which, kind), kind, _Arrived(frame_id, nbytes, item, now))
            return
        arrived = _Arrived(frame_id, nbytes, item, now)
        placed = which.own.place(IdRun(frame_id, 1, 1))
        if which.doubtful is not None:
            self._enter_doubtful(which, placed.pop(0)[0])
        if placed:
            self._enter(which, placed[0][0], arrived)
        else:
            which.doubtful = arrived
            self._in_doubt += 1

    def take(self, now: float) -> T | None:
        """The item that is next, if it is due."""
        if self._in_doubt:
            self._end_doubts(now)
        if not self._heap or not self._is_due(self._heap[0], now):
            return None
        head = heappop(self._heap)
        del self._came[head.number]
        self._nbytes -= head.nbytes
        if head.kind is Kind.FRAME:
            self._last = head.numbering, head.frame_id
        elif head.kind is Kind.BEGIN:
            self._last = max(self._last, (head.numbering, head.frame_id))
        return head.item

    def due(self, now: float) -> float:
        """Seconds until something is due if nothing else comes; `NEVER` where nothing waits."""
        if self._heap and self._is_due(self._heap[0], now):
            return 0.0
        since = [*self._doubts, *islice(self._came.values(), 1)]
        return max(0.0, min(since) + self._patience - now) if since else NEVER

    def finish(self) -> None:
        """Nothing comes any more: everything is due."""
        self._is_over = True

    @property
    def _doubts(self) -> list[float]:
        if not self._in_doubt:
            return []
        return [lane.doubtful.came for lane in self._lanes.values() if lane.doubtful is not None]

    def _new_lane(self) -> _Lane[T]:
        return _Lane(OwnNumberings(self._step, self._slack))

    def _heed(self, name: int, lane: _Lane[T], now: float) -> None:
        """A lane brings something: the others are missed from now on, unless they are already."""
        if now - self._heard > PAUSE * self._patience:
            self._heeded = set(self._lanes)
        self._heard = now
        lane.missed_since = None
        if self._heeded != {name}:
            for other in self._heeded - {name}:
                self._lanes[other].missed_since = now
            self._heeded = {name}

    def _is_due(self, head: _Held[T], now: float) -> bool:
        numbering, frame_id = self._last
        if (
            head.kind is Kind.FRAME
            and head.numbering == numbering
            and 0 <= head.frame_id - frame_id <= self._step
        ):
            return True
        if self._is_over or len(self._heap) > self._most or self._nbytes > self._most_bytes:
            return True
        patience = self._patience
        if now >= next(iter(self._came.values())) + patience:
            return True
        key = (head.numbering, head.frame_id)
        return all(
            lane.reached >= key or (lane.missed_since is not None and now - lane.missed_since >= patience)
            for lane in self._lanes.values()
        )

    def _end_doubts(self, now: float) -> None:
        """Those that nothing has followed for long are repeats."""
        for lane in self._lanes.values():
            doubtful = lane.doubtful
            if doubtful is not None and (self._is_over or now >= doubtful.came + self._patience):
                self._end_doubt(lane)

    def _end_doubt(self, lane: _Lane[T]) -> None:
        for numbering, _ in lane.own.end_doubt():
            self._enter_doubtful(lane, numbering)

    def _enter_doubtful(self, lane: _Lane[T], numbering: int) -> None:
        doubtful, lane.doubtful = lane.doubtful, None
        assert doubtful is not None
        self._in_doubt -= 1
        self._enter(lane, numbering, doubtful)

    def _enter(self, lane: _Lane[T], numbering: int, frame: _Arrived[T]) -> None:
        """Put a frame in its place, or leave it out where that is gone."""
        lane.ahead += max(0, self._last[0] - numbering - lane.ahead)
        key = (numbering + lane.ahead, frame.frame_id)
        lane.reached = max(lane.reached, key)
        if key < self._last:
            self.late += 1
        else:
            self._hold(key, Kind.FRAME, frame)

    def _place(self, lane: _Lane[T], kind: Kind) -> _Key:
        """Where a message goes that is no frame."""
        own = lane.own
        if kind is Kind.BEGIN:
            own.begin()
        numbering = max(own.number + lane.ahead, self._last[0])
        key = (numbering, {Kind.BEGIN: _BEFORE_ALL, Kind.END: _BEHIND_ALL}.get(kind, own.high))
        lane.reached = max(lane.reached, key)
        return key

    def _hold(self, key: _Key, kind: Kind, arrived: _Arrived[T]) -> None:
        self._number += 1
        heappush(self._heap, _Held(*key, self._number, kind, arrived.nbytes, arrived.item))
        self._came[self._number] = arrived.came
        self._nbytes += arrived.nbytes
