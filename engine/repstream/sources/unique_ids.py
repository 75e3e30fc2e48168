"""Which unique id an image has whose pixels and id come as PVs of their own. Pure.

areaDetector posts the array first and the id of the same NDArray after it, so an array's id is the first one
that is not older than it. A server may leave either out for a slow client; times tell then what belongs
together.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

PATIENCE = 0.5
"""Seconds that an array waits for its id."""

MOST_WITHOUT = 3
"""Arrays in a row without an id after which none is waited for: the server has none."""


class Numbered(NamedTuple, Generic[T]):
    """An image with its number."""

    number: int
    image: T


class UniqueIds(Generic[T]):
    """Numbers the images of one camera: by their ids where `has_ids`, else, and without one, the next number.

    `time` is the server's, `now` a monotonic one, both in seconds.
    """

    def __init__(self, has_ids: bool, number: int = 0) -> None:
        self._number = number - 1
        self._without = 0 if has_ids else MOST_WITHOUT
        self._held: tuple[float, float, T] | None = None
        self._early: tuple[float, int] | None = None

    @property
    def following(self) -> int:
        """The number of an image that has none of its own."""
        return self._number + 1

    def image(self, time: float, image: T, now: float) -> list[Numbered[T]]:
        """An array came; the images that are numbered now."""
        found = self._give_up()
        if self._without >= MOST_WITHOUT:
            return [*found, self._numbered(self.following, image)]
        if self._early is not None and self._early[0] >= time:
            return [*found, self._numbered(self._early[1], image)]
        self._held = time, now, image
        return found

    def unique_id(self, time: float, number: int) -> list[Numbered[T]]:
        """An id came; as `image`."""
        if self._held is None or time < self._held[0]:
            self._early = time, number
            return []
        _, _, image = self._held
        self._held, self._without = None, 0
        return [self._numbered(number, image)]

    def late(self, now: float) -> list[Numbered[T]]:
        """Images that have waited for long enough."""
        return self._give_up() if self._held is not None and now - self._held[1] > PATIENCE else []

    def _give_up(self) -> list[Numbered[T]]:
        if self._held is None:
            return []
        _, _, image = self._held
        self._held = None
        self._without += 1
        return [self._numbered(self.following, image)]

    def _numbered(self, number: int, image: T) -> Numbered[T]:
        self._early, self._number = None, number
        return Numbered(number, image)
