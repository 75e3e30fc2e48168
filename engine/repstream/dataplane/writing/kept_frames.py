"""The last frames, kept so that a file may begin with them. Pure."""

from __future__ import annotations

from collections import deque

from repstream.messages.frame import Frame
from repstream.parameters.writer import WriterConfig

MIB = 1 << 20


class KeptFrames:
    """The last frames, in order: at most `frames` of them, not older than `seconds`, within `nbytes`.

    0 sets no number or no time; with neither, nothing is kept (not `enabled`). One frame larger than `nbytes`
    is not kept either.
    """

    def __init__(self, frames: int, seconds: float, nbytes: int) -> None:
        self.enabled = frames > 0 or seconds > 0
        self._frames = frames
        self._seconds = seconds
        self._most = nbytes
        self._items: deque[tuple[Frame, float]] = deque()
        self._nbytes = 0

    @classmethod
    def of(cls, config: WriterConfig) -> KeptFrames:
        """An empty one with the limits of a writer."""
        return cls(config.keep_frames, config.keep_time, config.keep_memory * MIB)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, frame: Frame, now: float) -> None:
        """Add the newest frame, which came at `now` (monotonic); `expire` is due then."""
        self._items.append((frame, now))
        self._nbytes += frame.nbytes

    def pop(self) -> tuple[Frame, float]:
        """Take the oldest frame, and when it came. Raises `IndexError` when there is none."""
        item = self._items.popleft()
        self._nbytes -= item[0].nbytes
        return item

    def expire(self, now: float) -> int:
        """Let go of what is beyond the limits; how many frames that were."""
        gone = 0
        while self._items and self._beyond(now):
            self.pop()
            gone += 1
        return gone

    def age(self, now: float) -> float:
        """Seconds since the oldest frame came; 0 when there is none."""
        return now - self._items[0][1] if self._items else 0.0

    def _beyond(self, now: float) -> bool:
        return (
            self._nbytes > self._most
            or 0 < self._frames < len(self._items)
            or 0 < self._seconds < now - self._items[0][1]
        )
