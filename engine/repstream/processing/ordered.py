"""Tasks done by several threads, whose results come in the order of the tasks."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

R = TypeVar("R")


class Done(NamedTuple, Generic[R]):
    """A task that was done: its result, or the error that it raised."""

    result: R | None
    error: Exception | None


class Ordered(Generic[R]):
    """So many threads, and room for `most` tasks that wait, run, or are done and not taken.

    A task is called with the number of its thread, from 0 on, so that each can have a process, say, of
    its own. `fileno` is a descriptor to poll: readable when the next result can be taken.
    Use it from one thread.
    """

    def __init__(self, threads: int, most: int) -> None:
        self._waiting: queue.SimpleQueue[_Place[R] | None] = queue.SimpleQueue()
        self._places: deque[_Place[R]] = deque()
        self._most = most
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"processing-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """How many tasks were put and not taken."""
        return len(self._places)

    @property
    def waiting(self) -> int:
        """How many tasks no thread has begun."""
        return self._waiting.qsize()

    def fileno(self) -> int:
        """Readable when a task is done."""
        return self._event

    def put(self, task: Callable[[int], R]) -> bool:
        """Have a task done; False where there is no room for it, so that it is not."""
        if len(self._places) >= self._most:
            return False
        place = _Place(task)
        self._places.append(place)
        self._waiting.put(place)
        return True

    def take(self, wait: float = 0.0) -> list[Done[R]]:
        """What is done by now and has nothing before it that is not; `wait` for the first so many seconds."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        if wait and self._places:
            self._places[0].ready.wait(wait)
        found = []
        while self._places and self._places[0].ready.is_set():
            done = self._places.popleft().done
            assert done is not None
            found.append(done)
        return found

    def close(self) -> None:
        """Do what is running, drop what waits, end the threads."""
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._places.clear()
        if self._event >= 0:
            os.close(self._event)
            self._event = -1

    def _work(self, number: int) -> None:
        while (place := self._waiting.get()) is not None:
            try:
                place.done = Done(place.task(number), None)
            except Exception as error:
                place.done = Done(None, error)
            place.ready.set()
            os.eventfd_write(self._event, 1)


class _Place(Generic[R]):
    """A task's place in the order."""

    def __init__(self, task: Callable[[int], R]) -> None:
        self.task = task
        self.done: Done[R] | None = None
        self.ready = threading.Event()
