"""What waits between a writer's selection and the thread of its file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from repstream.dataplane.storing.placement import Placed
from repstream.policies.slow_consumer import Outcome, OutputQueue


class FrameQueue(Protocol):
    """A queue of frames, bounded in number and bytes. Every method but `attach` wants its lock held."""

    @property
    def hands_on(self) -> bool:
        """Whether the very frames come out that were offered, and no copies."""

    @property
    def spilled(self) -> int:
        """How many frames wait outside of memory."""

    @property
    def backlog(self) -> int:
        """All that wait, wherever."""

    @property
    def nbytes(self) -> int:
        """Bytes of those that can be taken now."""

    @property
    def use(self) -> float:
        """How full it is: 0 … 1."""

    def attach(self, lock: threading.Lock, on_ready: Callable[[], None], on_room: Callable[[], None]) -> None:
        """Begin to work under this lock; to be called once, without it.

        With it held, `on_ready` is called when there is something to take that `offer` did not put there,
        `on_room` when there may be room that `take` did not make.
        """

    def __len__(self) -> int:
        """How many can be taken now."""

    def has_room(self, nbytes: int) -> bool:
        """Whether a frame of this size would be accepted without a loss."""

    def offer(self, item: Placed, nbytes: int) -> Outcome[Placed]:
        """As `OutputQueue.offer`."""

    def offer_all(self, items: Sequence[Placed], sizes: Sequence[int]) -> bool:
        """As `OutputQueue.offer_all`."""

    def take(self, most: int, most_bytes: int) -> list[Placed]:
        """As `OutputQueue.take`; raises StorageError where frames that waited are lost."""

    def clear(self) -> object:
        """Forget all that wait."""

    def close(self) -> None:
        """End the work; what still waits is gone."""


class MemoryQueue(OutputQueue[Placed]):
    """A `FrameQueue` in memory alone, which needs no thread."""

    __slots__ = ()
    hands_on = True

    @property
    def spilled(self) -> int:
        return 0

    def attach(self, lock: threading.Lock, on_ready: Callable[[], None], on_room: Callable[[], None]) -> None:
        """Nothing happens here by itself."""

    def close(self) -> None:
        """There is nothing to end."""
