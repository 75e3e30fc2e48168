"""Compressing beside writing: a few threads pack images, which come out in the order they went in."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from repstream.messages.compression import compress, use_one_core
from repstream.messages.frame import Frame

GROUP_BYTES = 256 << 10
"""Small images are packed in batches of this size (bytes): handing one over costs more than packing it."""

AHEAD = 2
"""Groups that wait or are packed for each thread, while what is ready is written."""


NICENESS = 5
"""Niceness of the threads that compress, so that those that receive and write go first."""


def threads_for(parts: int) -> int:
    """How many threads pack for each of the processes that write an acquisition: all cores between them."""
    return max(1, len(os.sched_getaffinity(0)) // parts)


class Packer:
    """Threads that compress raw images; those that came compressed pass unchanged. Used by one thread.

    bitshuffle works without the interpreter lock. What is under way is held in memory: up to
    `AHEAD` groups a thread beyond what one `put` brings.
    """

    def __init__(self, threads: int) -> None:
        self._most = AHEAD * threads
        self._pool = ThreadPoolExecutor(threads, "pack", initializer=begin_beside)
        self._groups: deque[Future[list[Any]]] = deque()

    def put(self, frames: Sequence[Frame]) -> None:
        """Have the images of `frames` packed, behind those before, all channels of one before the next."""
        group: list[Frame] = []
        nbytes = 0
        for frame in frames:
            group.append(frame)
            nbytes += frame.nbytes
            if nbytes >= GROUP_BYTES:
                self._groups.append(self._pool.submit(_pack, group))
                group, nbytes = [], 0
        if group:
            self._groups.append(self._pool.submit(_pack, group))

    def take(self) -> Iterator[list[Any]]:
        """What is ready, in order, as it is stored; waits where more is under way than is to be."""
        return self._take(self._most)

    def take_next(self) -> Iterator[list[Any]]:
        """Wait for what comes next, and take what else is ready."""
        return self._take(len(self._groups) - 1)

    def take_all(self) -> Iterator[list[Any]]:
        """Wait for all that is under way."""
        return self._take(0)

    def close(self) -> None:
        """End the threads; what they still had to do is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, left: int) -> Iterator[list[Any]]:
        groups = self._groups
        while groups and (len(groups) > left or groups[0].done()):
            ready = groups.popleft().result()
            while groups and groups[0].done():
                ready += groups.popleft().result()
            yield ready


def begin_beside() -> None:
    """For each thread: to keep to one core, and to what others leave of it."""
    use_one_core()
    thread = threading.get_native_id()
    # Linux has a priority for each thread.
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _pack(frames: list[Frame]) -> list[Any]:
    itemsize = np.dtype(frames[0].dtype).itemsize
    return [
        payload if payload is None or frame.encoding else compress(payload, itemsize)
        for frame in frames
        for payload in frame.payloads
    ]
