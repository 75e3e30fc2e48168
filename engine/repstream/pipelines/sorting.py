"""Messages put in the order of their ids, which parallel ways have disturbed. Pure."""

from __future__ import annotations

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
