"""A queue that a thread can wait for together with its sockets."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Put from any thread; one thread polls `fileno` and takes all that is there."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._lock = threading.Lock()
        self._open = True
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._event

    def put(self, item: T) -> None:
        """Add an item; one that comes after the end is left out."""
        with self._lock:
            if self._open:
                self._items.append(item)
                os.eventfd_write(self._event, 1)

    def take(self) -> Iterator[T]:
        """All items there are."""
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            pass
        while self._items:
            yield self._items.popleft()

    def close(self) -> None:
        """Take no more; a second end changes nothing."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._event)
