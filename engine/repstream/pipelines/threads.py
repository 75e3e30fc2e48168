"""Threads that process messages beside the loop; what they make goes out in the order in which it came."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from repstream.messages.frame import Frame
from repstream.pipelines.messages import Made
from repstream.pipelines.work import Work

Result = Sequence[Made | Frame]
Task = Callable[[Work], Result]


class Threads:
    """Some pieces of work of one kind, each used by one thread at a time. Used from the loop's thread.

    `most` messages may be under way. `woken` is a descriptor, readable when something is made.
    """

    def __init__(self, works: Sequence[Work], most: int) -> None:
        self._works = works
        self._free: deque[Work] = deque(works)
        self._most = max(most, len(works))
        self._pool = ThreadPoolExecutor(len(works), "process")
        self._under_way: deque[Future[Result]] = deque()
        self._open = True
        self._lock = threading.Lock()
        self.woken = os.eventfd(0, os.EFD_NONBLOCK)

    @property
    def is_full(self) -> bool:
        """Whether no more may be begun now."""
        return len(self._under_way) >= self._most

    def begin(self, task: Task) -> None:
        """Have a message processed, behind those before."""
        future = self._pool.submit(self._run, task)
        future.add_done_callback(lambda _: self._wake())
        self._under_way.append(future)

    def take(self, wait: bool = False) -> list[Future[Result]]:
        """What is made, in order; with `wait` all that is under way."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.woken)
        taken = []
        while self._under_way and (wait or self._under_way[0].done()):
            taken.append(self._under_way.popleft())
        return taken

    def each(self, change: Callable[[Work], None]) -> None:
        """Change every piece of work, when none is under way. Raises what the first one raises."""
        for future in self._under_way:
            future.exception()
        for work in self._works:
            change(work)

    def close(self) -> None:
        """Give up what is under way, and end the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for work in self._works:
            work.close()
        with self._lock:
            self._open = False
            os.close(self.woken)

    def _run(self, task: Task) -> Result:
        work = self._free.popleft()
        try:
            return task(work)
        finally:
            self._free.append(work)

    def _wake(self) -> None:
        with self._lock:
            if self._open:
                os.eventfd_write(self.woken, 1)
