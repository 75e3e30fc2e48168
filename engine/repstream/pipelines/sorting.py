"""Messages put in the order of their ids, which parallel ways have disturbed. Pure."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Generic, TypeVar

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
"""Seconds after which nobody waits for a lane on which nothing comes."""


class Lanes(Generic[T]):
    """Messages that come by several lanes, each in order: the lowest of those at their heads leaves first.

    It leaves when every lane has one, but for those that have been silent. `most` is how many messages
    a lane may have here before it should be left alone (`has_room`). Times are monotonic, in seconds; `now`
    is when the lanes were opened.
    """

    def __init__(self, number: int, most: int, now: float) -> None:
        self._lanes: list[deque[tuple[int, T]]] = [deque() for _ in range(number)]
        self._heard = [now] * number
        self._most = most

    def has_room(self, lane: int) -> bool:
        """Whether another message of this lane may be taken."""
        return len(self._lanes[lane]) < self._most

    def put(self, lane: int, pulse_id: int, message: T, now: float) -> list[T]:
        """Take a message; those that leave now."""
        self._heard[lane] = now
        self._lanes[lane].append((pulse_id, message))
        return self.leaving(now)

    def leaving(self, now: float) -> list[T]:
        """Those whose turn it is by now."""
        found = []
        lanes = range(len(self._lanes))
        while all(self._lanes[lane] or now - self._heard[lane] > SILENCE for lane in lanes) and any(
            self._lanes
        ):
            found.append(self._lowest())
        return found

    def rest(self) -> list[T]:
        """Hand out all that is held."""
        found = []
        while any(self._lanes):
            found.append(self._lowest())
        return found

    def _lowest(self) -> T:
        return min((lane for lane in self._lanes if lane), key=lambda lane: lane[0][0]).popleft()[1]
