"""Two streams joined by pulse id: images, and what another sender has of the same pulse. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, NamedTuple, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Pulsed(NamedTuple, Generic[A]):
    """What waits, with its pulse id."""

    pulse_id: int
    what: A


class Line(Generic[A]):
    """What waits of one stream, whose ids rise; the oldest of more than `most` gives way.

    An id that does not rise begins a new numbering: what waits of the former one is given up.
    """

    def __init__(self, most: int) -> None:
        self.given_up = 0
        self._most = most
        self._waiting: deque[Pulsed[A]] = deque()
        self._last = -1

    def add(self, pulse_id: int, what: A) -> None:
        if pulse_id <= self._last:
            self.given_up += len(self._waiting)
            self._waiting.clear()
        elif len(self._waiting) >= self._most:
            self.skip()
        self._last = pulse_id
        self._waiting.append(Pulsed(pulse_id, what))

    def skip(self) -> None:
        """Give up the first one."""
        self._waiting.popleft()
        self.given_up += 1

    def first(self) -> int | None:
        """The id of the first one; None where nothing waits."""
        return self._waiting[0].pulse_id if self._waiting else None

    def take(self) -> A:
        return self._waiting.popleft().what


class Merger(Generic[A, B]):
    """Pairs of what two streams have of the same pulse id, in the order of the ids.

    What the other stream has nothing for is given up as soon as that is certain.
    """

    def __init__(self, most_images: int, most_others: int) -> None:
        self.images: Line[A] = Line(most_images)
        self.others: Line[B] = Line(most_others)

    def image(self, pulse_id: int, image: A) -> list[tuple[A, B]]:
        """An image came; the pairs that are complete now."""
        self.images.add(pulse_id, image)
        return self._pairs()

    def other(self, pulse_id: int, other: B) -> list[tuple[A, B]]:
        """A message of the other stream came; as `image`."""
        self.others.add(pulse_id, other)
        return self._pairs()

    def _pairs(self) -> list[tuple[A, B]]:
        found = []
        while (image := self.images.first()) is not None and (other := self.others.first()) is not None:
            if image == other:
                found.append((self.images.take(), self.others.take()))
            elif image < other:
                self.images.skip()
            else:
                self.others.skip()
        return found
