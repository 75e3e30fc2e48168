"""Threads beside the loop that pack and unpack the images of one stream, in the order of the frames."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

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


class Workers:
    """A few threads and what they are at; `wake` is called from them whenever something is made.

    The compressors and decompressors work without the interpreter lock. Used from the loop's thread.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        threads = len(os.sched_getaffinity(0))
        self._most = AHEAD * threads
        self._wake = wake
        self._pool = ThreadPoolExecutor(threads, "convert", initializer=begin_beside)
        self._under_way: deque[Future[Frame]] = deque()

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
        return bool(self._under_way) and self._under_way[0].done()

    def put(self, work: Work) -> None:
        """Have a frame made, behind those before."""
        future = self._pool.submit(work.make)
        future.add_done_callback(lambda _: self._wake())
        self._under_way.append(future)

    def head(self) -> Frame:
        """The oldest frame, which is ready; raises what its making raised."""
        return self._under_way[0].result()

    def pop(self) -> None:
        """The oldest frame is done with."""
        self._under_way.popleft()

    def clear(self) -> None:
        """Give up all that is under way."""
        for future in self._under_way:
            future.cancel()
        self._under_way.clear()

    def close(self) -> None:
        """End the threads, as soon as what they are at is done."""
        self._pool.shutdown(wait=False, cancel_futures=True)
