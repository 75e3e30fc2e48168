"""How long each kind of call on a writer's files takes."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

from repstream.dataplane.control import CALL_BOUNDS, Call, CallReport


class CallTimes:
    """The calls of one writer from open to close, over all its files. Thread-safe.

    Two files may be written at a time; a lock is taken for each batch of frames, not for each frame.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[Call, CallReport] = {}

    @contextmanager
    def timed(self, call: Call) -> Iterator[None]:
        """The block is such a call; it counts also if it fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.add(call, time.monotonic() - begun)

    def add(self, call: Call, seconds: float) -> None:
        """A call took this long."""
        with self._lock:
            before = self._calls.get(call, CallReport())
            counts = list(before.counts)
            counts[bisect_left(CALL_BOUNDS, seconds)] += 1
            self._calls[call] = CallReport(
                seconds=before.seconds + seconds,
                last=seconds,
                longest=max(before.longest, seconds),
                counts=tuple(counts),
            )

    def report(self) -> dict[Call, CallReport]:
        """What is known of each kind that there was."""
        with self._lock:
            return dict(self._calls)
