"""Which of several planes have said nothing for long. Pure."""

from __future__ import annotations

from collections.abc import Collection

LOOK_INTERVAL = 0.1
"""Seconds between two looks; a plane says something as often."""

MOST_SILENT = 4
"""Looks in a row without a sign of life after which nobody waits for a plane's report."""

MUTE_TIME = 2.0
"""Seconds after which that is said."""


class Hearing:
    """Counts looks, not seconds: where the whole machine stood still, nobody looked either.

    A plane that has said nothing yet is about to begin, and is not missed. `now` is monotonic.
    """

    def __init__(self) -> None:
        self._looks: dict[int, int] = {}
        self._next = 0.0

    def heard(self, plane: int) -> None:
        """A plane has said something."""
        self._looks[plane] = 0

    def gone(self, plane: int) -> None:
        """A plane has ended."""
        self._looks.pop(plane, None)

    def look(self, now: float) -> bool:
        """Look whether it is time; whether it was."""
        if now < self._next:
            return False
        self._next = now + LOOK_INTERVAL
        for plane in self._looks:
            self._looks[plane] += 1
        return True

    def silence(self, plane: int) -> float:
        """For how many seconds nothing came from a plane."""
        return self._looks.get(plane, 0) * LOOK_INTERVAL

    def lagging(self, planes: Collection[int]) -> set[int]:
        """Those of which nobody waits for a report."""
        return {plane for plane in planes if self._looks.get(plane, 0) > MOST_SILENT}
