"""What happens to frames when an output's consumer is slower than the source."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class SlowRule(StrEnum):
    """What a full queue does with one frame more."""

    BLOCK = "block"
    DROP_NEWEST = "drop_newest"
    DROP_OLDEST = "drop_oldest"


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """What became of an offer.

    `accepted`: the item waits in the queue now. `dropped`: the items lost by this offer, the
    oldest first; the offered one itself where the newest is dropped. Neither accepted nor
    dropped (`full`): nothing changed, the rule is to block, offer the same item again later.
    """

    accepted: bool
    dropped: tuple[T, ...] = ()

    @property
    def full(self) -> bool:
        return not (self.accepted or self.dropped)


class OutputQueue(Generic[T]):
    """The queue of one output, bounded in messages and in bytes.

    An item has room when the queue holds less than `max_messages` and the bytes of all stay
    within `max_bytes`. An empty queue takes any item, so that one larger than the whole
    budget passes alone instead of holding up its output for ever: the memory held is at most
    the greater of `max_bytes` and the largest item.

    Raises `ValueError` for limits below 1. Not thread-safe.
    """

    __slots__ = ("_accepted", "_full", "_items", "_nbytes", "max_bytes", "max_messages", "rule")

    def __init__(self, rule: SlowRule, max_messages: int, max_bytes: int) -> None:
        if max_messages < 1 or max_bytes < 1:
            raise ValueError(f"limits of {max_messages} messages, {max_bytes} bytes: each must be 1 or more")
        self.rule = rule
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._nbytes = 0
        self._accepted: Outcome[T] = Outcome(accepted=True)
        self._full: Outcome[T] = Outcome(accepted=False)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def backlog(self) -> int:
        """All items that wait: as many as can be taken, for a queue in memory."""
        return len(self._items)

    @property
    def nbytes(self) -> int:
        """Bytes of all items that wait."""
        return self._nbytes

    @property
    def use(self) -> float:
        """How full the queue is: 0 … 1, in messages or bytes, whichever is more."""
        return min(1.0, max(len(self._items) / self.max_messages, self._nbytes / self.max_bytes))

    def has_room(self, nbytes: int) -> bool:
        """Whether an item of this size would be accepted without a loss."""
        waiting = len(self._items)
        return waiting == 0 or (waiting < self.max_messages and self._nbytes + nbytes <= self.max_bytes)

    def offer(self, item: T, nbytes: int) -> Outcome[T]:
        """Append an item of this size, or apply the rule when there is no room."""
        dropped: list[T] = []
        while not self.has_room(nbytes):
            if self.rule is SlowRule.BLOCK:
                return self._full
            if self.rule is SlowRule.DROP_NEWEST:
                return Outcome(accepted=False, dropped=(item,))
            dropped.append(self.pop())
        self._items.append((item, nbytes))
        self._nbytes += nbytes
        return Outcome(accepted=True, dropped=tuple(dropped)) if dropped else self._accepted

    def offer_all(self, items: Sequence[T], sizes: Sequence[int]) -> bool:
        """Append items of these sizes if there is room for all, otherwise none; nothing is dropped."""
        total = sum(sizes)
        if len(self._items) + len(items) > self.max_messages or self._nbytes + total > self.max_bytes:
            return False
        self._items.extend(zip(items, sizes, strict=True))
        self._nbytes += total
        return True

    def head(self) -> T:
        """The item that is next, left where it is. Raises `IndexError` when empty."""
        return self._items[0][0]

    def pop(self) -> T:
        """Take the item that is next. Raises `IndexError` when empty."""
        item, nbytes = self._items.popleft()
        self._nbytes -= nbytes
        return item

    def take(self, most: int, most_bytes: int) -> list[T]:
        """Take what is next, in order: `most` items, or fewer where they reach the number of bytes first."""
        items, taken, nbytes = self._items, list[T](), 0
        while items and len(taken) < most and nbytes < most_bytes:
            item, size = items.popleft()
            taken.append(item)
            nbytes += size
        self._nbytes -= nbytes
        return taken

    def clear(self) -> tuple[T, ...]:
        """Take all that wait, the oldest first: what an abort discards."""
        items = tuple(item for item, _ in self._items)
        self._items.clear()
        self._nbytes = 0
        return items
