"""Where each instance was placed, why it ended, and where it is to run no more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

MOST_KNOWN = 1000
"""Instances that are remembered, also after their end."""


class Places:
    """A memory by name of instance and address of server. Thread-safe, never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: OrderedDict[str, str] = OrderedDict()
        self._reasons: dict[str, str] = {}
        self._unwanted: set[tuple[str, str]] = set()

    def of(self, name: str) -> str:
        """The server that an instance was placed on last; empty where that is not known."""
        return self._places.get(name, "")

    def reason(self, name: str) -> str:
        """Why it did not start, or has ended; empty where nothing was wrong."""
        return self._reasons.get(name, "")

    def took(self, name: str, address: str, instead_of: Iterable[str]) -> None:
        """An instance was started there; it is not to run at the others any more."""
        with self._lock:
            self._reasons.pop(name, None)
            self._place(name, address)
            self._unwanted.discard((address, name))
            self._unwanted.update((other, name) for other in instead_of if other != address)

    def seen(self, names: Iterable[str], address: str) -> list[str]:
        """Instances run there; gives those that should not, which are to be stopped."""
        with self._lock:
            found = list(names)
            for name in found:
                if name not in self._places:
                    self._place(name, address)
            unwanted = [name for name in found if (address, name) in self._unwanted]
            self._unwanted.difference_update((address, name) for name in unwanted)
            return unwanted

    def unwanted(self, name: str, addresses: Iterable[str]) -> None:
        """It is to run no more at these."""
        with self._lock:
            self._unwanted.update((address, name) for address in addresses)

    def started_anew(self, address: str) -> None:
        """A server has nothing any more of what it had."""
        with self._lock:
            self._unwanted = {each for each in self._unwanted if each[0] != address}

    def ended(self, name: str, reason: str) -> None:
        """It did not start, or has ended, for this reason."""
        with self._lock:
            self._reasons[name] = reason

    def forget(self, name: str) -> None:
        """Know nothing of it any more, but where it is to be stopped."""
        with self._lock:
            self._places.pop(name, None)
            self._reasons.pop(name, None)

    def _place(self, name: str, address: str) -> None:
        self._places[name] = address
        self._places.move_to_end(name)
        while len(self._places) > MOST_KNOWN:
            old, _ = self._places.popitem(last=False)
            self._reasons.pop(old, None)
