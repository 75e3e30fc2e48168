"""One after the other what concerns a name; other names do not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from repstream.errors import Refused

LONGEST_NAME = 255


class _Turn:
    """Whose turn it is with a name, and how many want it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0


class Turns:
    """A lock for each name that somebody is busy with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, _Turn] = {}

    def __len__(self) -> int:
        """Names that somebody is busy with."""
        return len(self._turns)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """The turn with this name; raises `Refused` for what cannot be the name of an instance."""
        if not name or (len(name) > LONGEST_NAME and not name.startswith("\0")):
            raise Refused("name", f"a name of 1 to {LONGEST_NAME} characters is needed")
        with self._lock:
            turn = self._turns.setdefault(name, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.waiting -= 1
                if not turn.waiting:
                    del self._turns[name]
