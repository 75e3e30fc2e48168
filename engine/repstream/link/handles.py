"""Commands that were taken, until their one end."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from repstream.protocol import Completion

SLICE = 0.5
"""Seconds of a wait without end after which Python looks for a Ctrl-C that came just before it."""


def waited(event: threading.Event, timeout: float | None) -> bool:
    """Wait for `event`, at most `timeout` seconds; whether it is set. Ctrl-C ends it, whenever it comes."""
    end = math.inf if timeout is None else time.monotonic() + timeout
    while not event.wait(max(0.0, min(SLICE, end - time.monotonic()))):
        if time.monotonic() >= end:
            return False
    return True


class PendingHandle:
    """A command under way (fills `protocol.Handle`)."""

    def __init__(self, handle_id: str, command: str) -> None:
        self.handle_id = handle_id
        self.command = command
        self.completion: Completion | None = None
        self._done = threading.Event()
        self._callbacks: list[Callable[[Completion], None]] = []
        self._lock = threading.Lock()

    def wait(self, timeout: float | None = None) -> Completion:
        """Wait for the end, at most `timeout` seconds; raises `TimeoutError`."""
        waited(self._done, timeout)
        if self.completion is None:
            raise TimeoutError(f"{self.command} has not ended within {timeout} s; it goes on")
        return self.completion

    def __await__(self) -> Generator[Any, None, Completion]:
        """``await handle``: its end, without holding up the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()

        def note(completion: Completion) -> None:
            if not future.done():
                future.set_result(completion)

        def from_events(completion: Completion) -> None:
            with suppress(RuntimeError):  # the loop may have been closed meanwhile
                loop.call_soon_threadsafe(note, completion)

        self.on_done(from_events)
        return future.__await__()

    def on_done(self, callback: Callable[[Completion], None]) -> None:
        """Call back at the end; at once if it has ended."""
        with self._lock:
            if self.completion is None:
                self._callbacks.append(callback)
                return
        callback(self.completion)

    def finish(self, completion: Completion) -> None:
        """Note the end and call everybody back; a second end changes nothing."""
        with self._lock:
            if self.completion is not None:
                return
            self.completion = completion
            callbacks, self._callbacks = self._callbacks, []
        self._done.set()
        for callback in callbacks:
            callback(completion)
