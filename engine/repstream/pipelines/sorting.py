"""Messages put in the order of their ids, which parallel ways have disturbed. Pure."""

from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush
from typing import Generic, NamedTuple, TypeVar

from repstream.pipelines.spacing import REGULAR

T = TypeVar("T")


class Sorter(Generic[T]):
    """Holds `length` messages and hands out the lowest id first; with none held, as they come.

    A message that comes later than one with a higher id that has left is handed out at once, late. `length`
    may change at any time.
    """

    def __init__(self, length: int = 0) -> None:
        self.length = length
        self._held: list[tuple[int, int, T]] = []
        self._number = 0

    def put(self, pulse_id: int, message: T) -> list[T]:
        """Take a message, and hand out those that are too many; messages of one id keep their order."""
        self._number += 1
        heappush(self._held, (pulse_id, self._number, message))
        return self._leaving(len(self._held) - self.length)

    def rest(self) -> list[T]:
        """Hand out all that is held."""
        return self._leaving(len(self._held))

    def _leaving(self, number: int) -> list[T]:
        return [heappop(self._held)[2] for _ in range(number)]


SILENCE = 0.5
"""Seconds that a message waits for lanes on which nothing comes."""


class Waiting(NamedTuple, Generic[T]):
    """A message on its lane, and since when."""

    pulse_id: int
    since: float
    message: T


class Lanes(Generic[T]):
    """Messages that come by several lanes, each in order: the lowest of those at their heads leaves first.

    It leaves when every lane has one, or at once where ids have been evenly spaced and its own is the next.
    A lane that it has waited for in vain is waited for no more until something comes on it, or nothing has
    come on any. `most` is how many messages a lane may have here before it should be left alone (`has_room`).
    Times are monotonic, in seconds.
    """

    def __init__(self, number: int, most: int) -> None:
        self._lanes: list[deque[Waiting[T]]] = [deque() for _ in range(number)]
        self._silent = [False] * number
        self._most = most
        self._heard = -math.inf
        self._last = self._step = self._run = 0

    def has_room(self, lane: int) -> bool:
        """Whether another message of this lane may be taken."""
        return len(self._lanes[lane]) < self._most

    def put(self, lane: int, pulse_id: int, message: T, now: float) -> list[T]:
        """Take a message; those that leave now."""
        if now - self._heard > SILENCE:  # all begin again
            self._silent = [False] * len(self._lanes)
        self._heard = now
        self._silent[lane] = False
        self._lanes[lane].append(Waiting(pulse_id, now, message))
        return self.leaving(now)

    def leaving(self, now: float) -> list[T]:
        """Those whose turn it is by now."""
        found = []
        while (lane := self._lowest()) is not None and self._may_leave(lane[0], now):
            found.append(self._taken(lane))
        return found

    def rest(self) -> list[T]:
        """Hand out all that is held."""
        found = []
        while (lane := self._lowest()) is not None:
            found.append(self._taken(lane))
        return found

    def _lowest(self) -> deque[Waiting[T]] | None:
        return min(filter(None, self._lanes), key=lambda lane: lane[0].pulse_id, default=None)

    def _may_leave(self, first: Waiting[T], now: float) -> bool:
        if self._run >= REGULAR and first.pulse_id == self._last + self._step:
            return True
        awaited = [number for number, lane in enumerate(self._lanes) if not lane and not self._silent[number]]
        if awaited and now - first.since <= SILENCE:
            return False
        for number in awaited:
            self._silent[number] = True
        return True

    def _taken(self, lane: deque[Waiting[T]]) -> T:
        found = lane.popleft()
        step, self._last = found.pulse_id - self._last, found.pulse_id
        self._run = self._run + 1 if step == self._step else 1
        self._step = step
        return found.message
