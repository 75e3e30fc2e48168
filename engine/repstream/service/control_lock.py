"""The control lock: at most one owner commands and writes, until they give it back or are gone for long."""

from __future__ import annotations

import time
from collections.abc import Callable

from repstream.errors import InvalidValue, Refused
from repstream.protocol import Requester

FORCE = "force"
"""The word that takes the lock from whoever holds it."""


class ControlLock:
    """At most one owner; while there is one, only who acts for them commands and writes.

    An owner is a person, the same user on the same host whatever the front end, or a word: whoever
    locks with the same word acts for the same owner, so that one lock serves scripts and panels of
    several control systems. It is a guard against mistakes, not against malice.

    `timeout` says after how many seconds without a sign of its owner it is open again; 0: never.
    """

    def __init__(self, timeout: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._clock = clock
        self._word = ""
        self._owner = ""
        self._people: set[tuple[str, str, str]] = set()
        self._used = 0.0

    @property
    def owner(self) -> str:
        """Who holds it, as people read it; empty when nobody does."""
        self._expire()
        return self._owner

    def check(self, subject: str, requester: Requester) -> None:
        """Raise `Refused` when somebody else holds the lock; a sign of life of its owner otherwise."""
        if not self.owner:
            return
        if _person(requester) not in self._people:
            raise Refused(
                subject,
                f"{self._owner} holds the control lock{self._until()}; ask them, lock with their word, "
                f"or unlock with {FORCE}",
            )
        self._used = self._clock()

    def take(self, requester: Requester, word: str) -> None:
        """Lock, or act for the owner who has locked with the same word; raises `Refused`."""
        if word == FORCE:
            raise InvalidValue("engine.lock", f"{FORCE} is the word that opens every lock; take another")
        if not (self.owner and word and word == self._word):
            self.check("engine.lock", requester)
            self._people.clear()
            self._word = word
            self._owner = f"{word} ({requester})" if word else str(requester)
        self._people.add(_person(requester))
        self._used = self._clock()

    def give_back(self, requester: Requester, word: str) -> None:
        """Unlock: for who acts for the owner, or with the owner's word, or with `FORCE`; raises `Refused`."""
        if self.owner and word not in ("", FORCE, self._word):
            raise Refused(
                "engine.unlock", f"{word!r} is not the word of {self._owner}; {FORCE} unlocks for everybody"
            )
        if not word:
            self.check("engine.unlock", requester)
        self._release()

    def _expire(self) -> None:
        timeout = self._timeout()
        if self._owner and timeout and self._clock() - self._used > timeout:
            self._release()

    def _release(self) -> None:
        self._word = self._owner = ""
        self._people.clear()

    def _until(self) -> str:
        timeout = self._timeout()
        left = self._used + timeout - self._clock()
        return f", for {left:.0f} s more unless they act again" if timeout else ""


def _person(requester: Requester) -> tuple[str, str, str]:
    """A user on a host is the same person by every front end; somebody unknown only by one."""
    if requester.user and requester.host:
        return "", requester.user, requester.host
    return requester.front_end, requester.user, requester.host
