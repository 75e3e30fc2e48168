"""Handing events to subscribers: one thread, in order, never under the engine's lock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from repstream.protocol import Event

log = logging.getLogger(__name__)

Callback = Callable[[Event], None]


class Publisher:
    """Subscribers and the thread that calls them."""

    def __init__(self, name: str) -> None:
        self._events: SimpleQueue[Event | Callable[[], None] | None] = SimpleQueue()
        self._callbacks: tuple[Callback, ...] = ()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"{name} publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Hand out what is queued, then end the thread."""
        self._events.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)

    def publish(self, event: Event | None) -> None:
        """Queue one event; never blocks."""
        if event is not None:
            self._events.put(event)

    def call(self, function: Callable[[], None]) -> None:
        """Call back from the publishing thread, after the events queued so far."""
        self._events.put(function)

    def subscribe(self, callback: Callback) -> Registration:
        """Call back with every event queued from now on."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)
        return Registration(self, callback)

    def unsubscribe(self, callback: Callback) -> None:
        with self._lock:
            self._callbacks = tuple(c for c in self._callbacks if c is not callback)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            if callable(event):
                self._guard(event)
                continue
            for callback in self._callbacks:
                self._guard(callback, event)

    @staticmethod
    def _guard(function: Callable[..., None], *arguments: Event) -> None:
        try:
            function(*arguments)
        except Exception:  # a subscriber's fault must reach neither the others nor the engine
            log.exception("a subscriber failed")


class Registration:
    """One subscription; closing it twice is harmless."""

    def __init__(self, publisher: Publisher, callback: Callback) -> None:
        self._publisher = publisher
        self._callback = callback

    def close(self) -> None:
        self._publisher.unsubscribe(self._callback)
