"""Messages on their way from a client library's thread to the data plane."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from repstream.parameters.source import SourceConfig

PATIENCE = 0.01
"""Seconds that a patient reader waits."""


def messages_for(config: SourceConfig, expected: int) -> int:
    """Images that may wait, by number and, where their size is known, by memory."""
    most = config.buffer_memory * 2**20 // expected if expected else config.buffer_size
    return max(2, min(config.buffer_size, most))


class Inbox:
    """A queue of at most `most` messages; the oldest makes room, and its id is missed then."""

    def __init__(self, most: int) -> None:
        self.capacity = most
        self._waiting: deque[Sequence[Any]] = deque(maxlen=most)
        self._lock = threading.Lock()
        self.readable = os.eventfd(0, os.EFD_NONBLOCK)

    def put(self, message: Sequence[Any]) -> None:
        """Called from any thread; harmless after `close`."""
        with self._lock:
            if self.readable >= 0:
                self._waiting.append(message)
                os.eventfd_write(self.readable, 1)

    def take(self, patient: bool = False) -> Sequence[Any] | None:
        """The next message, or None."""
        if patient and not self._waiting:
            select.select([self.readable], [], [], PATIENCE)
        with self._lock:
            if not self._waiting:
                return None
            message = self._waiting.popleft()
            if not self._waiting:
                os.eventfd_read(self.readable)
            return message

    def close(self) -> None:
        with self._lock:
            os.close(self.readable)
            self.readable = -1
            self._waiting.clear()


class InboxSource:
    """What sources share whose messages another thread puts into an `Inbox`; the rest is theirs."""

    def __init__(self, most: int) -> None:
        self._inbox = Inbox(most)

    @property
    def pollable(self) -> Any:
        """An eventfd, readable while images wait."""
        return self._inbox.readable

    @property
    def capacity(self) -> int:
        """How many images may wait."""
        return self._inbox.capacity

    def receive(self, patient: bool = False) -> Sequence[Any] | None:
        """The next image as an array-1.0 message, or one that is malformed and says why."""
        return self._inbox.take(patient)
