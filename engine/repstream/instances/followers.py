"""Who is called back when something of an instance has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Followers:
    """Callbacks by the name of an instance, running or not. Thread-safe; calls come from who calls `call`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[str, tuple[Callable[[], None], ...]] = {}

    def __len__(self) -> int:
        """How many names are followed."""
        return len(self._callbacks)

    def add(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called for this name; gives what ends that."""
        with self._lock:
            self._callbacks[name] = (*self._callbacks.get(name, ()), callback)

        def leave() -> None:
            with self._lock:
                left = tuple(c for c in self._callbacks.pop(name, ()) if c is not callback)
                if left:
                    self._callbacks[name] = left

        return leave

    def call(self, name: str) -> None:
        """Something of this name has changed."""
        for callback in self._callbacks.get(name, ()):
            callback()
