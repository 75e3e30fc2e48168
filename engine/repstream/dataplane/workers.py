"""Threads beside the loop that pack and unpack the images of one stream, in the order of the frames."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

import msgspec

from repstream.dataplane.storing.packing import AHEAD, begin_beside
from repstream.messages.frame import Frame


class Work(msgspec.Struct, gc=False):
    """A frame that takes long to make; until it is made, `nbytes` are held.

    `make` gives the frame that goes out, or raises `MalformedMessage`.
    """

    frame_id: int
    nbytes: int
    make: Callable[[], Frame]


class Made(msgspec.Struct, gc=False):
    """What came of the `work` of one frame, once it `is_ready`: a frame, or what its making raised."""

    work: Work
    frame: Frame | None = None
    error: Exception | None = None
    is_ready: bool = False


class Workers:
    """A few threads and what they are at; `wake` is called from them whenever something is made.

    The compressors and decompressors work without the interpreter lock. Used from the loop's thread.

    The threads share a plain queue: a pool with futures costs 30 µs more for an image, since what surrounds
    the packing runs with caches that the packing has filled.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        threads = len(os.sched_getaffinity(0))
        self._most = AHEAD * threads
        self._wake = wake
        self._waiting: SimpleQueue[Made | None] = SimpleQueue()
        self._under_way: deque[Made] = deque()
        self._threads = [
            threading.Thread(target=self._run, name=f"convert {number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """Frames that are made, or wait to be taken."""
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether one more would soon be begun."""
        return len(self._under_way) < self._most

    @property
    def is_ready(self) -> bool:
        """Whether the oldest frame is made."""
        return bool(self._under_way) and self._under_way[0].is_ready

    def put(self, work: Work) -> None:
        """Have a frame made, behind those before."""
        made = Made(work)
        self._under_way.append(made)
        self._waiting.put(made)

    def head(self) -> Frame:
        """The oldest frame, which is ready; raises what its making raised."""
        made = self._under_way[0]
        if made.error is not None:
            raise made.error
        assert made.frame is not None
        return made.frame

    def pop(self) -> None:
        """The oldest frame is done with."""
        self._under_way.popleft()

    def clear(self) -> None:
        """Give up all that is under way."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        self._under_way.clear()

    def close(self) -> None:
        """End the threads, as soon as what they are at is done."""
        self.clear()
        for _ in self._threads:
            self._waiting.put(None)

    def _run(self) -> None:
        begin_beside()
        while (made := self._waiting.get()) is not None:
            try:
                made.frame = made.work.make()
            except Exception as error:
                made.error = error
            made.is_ready = True
            # One behind it is found when that is taken.
            is_next = self._is_next(made)
            del made  # nor hold its memory while waiting for the next
            if is_next:
                self._wake()

    def _is_next(self, made: Made) -> bool:
        try:
            return self._under_way[0] is made
        except IndexError:
            return False
