"""Whether the data plane gives signs of life. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LOOK_INTERVAL = 0.2
"""Seconds between two looks."""

MOST_SILENT = 4
"""Looks in a row without a sign of life, after which it counts as stalled.

Looks, not seconds: where the whole machine stood still, the service did not look either.
"""

BEGIN_TIME = 10.0
"""Seconds that it may take to begin."""


@dataclass(slots=True)
class Pulse:
    """Times are monotonic. A data plane that is not there is not stalled."""

    lives: bool = False
    last: float = 0.0
    _silent: int = 0
    _begun: bool = False

    def launched(self, now: float) -> None:
        self.lives, self.last, self._silent, self._begun = True, now, 0, False

    def heard(self, now: float) -> None:
        self.last, self._silent, self._begun = now, 0, True

    def ended(self) -> None:
        self.lives = False

    def look(self) -> None:
        self._silent += 1

    def stalled(self, now: float) -> bool:
        if not self.lives or self._silent <= MOST_SILENT:
            return False
        return self._begun or now - self.last > BEGIN_TIME

    def silence(self, now: float) -> float:
        """Seconds since the last sign of life."""
        return now - self.last if self.lives else 0.0
