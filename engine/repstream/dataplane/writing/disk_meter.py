"""How fast the disk takes what is written, and for how long it has not answered. Pure."""

from __future__ import annotations

from collections import deque

SPAN = 1.0
"""Seconds of writing that the rate is taken over; pauses between writes do not count."""


class DiskMeter:
    """Notes each write of the thread that writes; `rate` and `wait` may be read from any other.

    `rate` in bytes a second. All times are monotonic, in seconds.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self._begun: float | None = None
        self._writes: deque[tuple[float, int]] = deque()
        self._seconds = 0.0
        self._nbytes = 0

    def begin(self, now: float) -> None:
        """A write begins."""
        self._begun = now

    def end(self, now: float, nbytes: int) -> None:
        """The write is over; `nbytes` were written."""
        begun, self._begun = self._begun, None
        seconds = now - (now if begun is None else begun)
        self._writes.append((seconds, nbytes))
        self._seconds += seconds
        self._nbytes += nbytes
        while self._seconds - self._writes[0][0] > SPAN:
            first = self._writes.popleft()
            self._seconds -= first[0]
            self._nbytes -= first[1]
        if self._seconds > 0:
            self.rate = self._nbytes / self._seconds

    def cancel(self) -> None:
        """It was no write, only a look that may take as long."""
        self._begun = None

    def wait(self, now: float) -> float:
        """For how long the write that is under way has lasted; 0 while there is none."""
        begun = self._begun
        return 0.0 if begun is None else max(0.0, now - begun)
