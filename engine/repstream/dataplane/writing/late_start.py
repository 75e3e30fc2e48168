"""What lets a file begin before its start: the last frames, kept, and a trigger in the headers. Pure."""

from __future__ import annotations

from collections import deque

from repstream.errors import MalformedMessage
from repstream.messages.formats import attributes
from repstream.messages.frame import Frame
from repstream.parameters.writer import WriterConfig

MIB = 1 << 20


class KeptFrames:
    """The last frames, in order: at most `frames` of them, not older than `seconds`, within `nbytes`.

    0 sets no number or no time; with neither, nothing is kept. One frame larger than `nbytes`
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

    def _beyond(self, now: float) -> bool:
        return (
            self._nbytes > self._most
            or 0 < self._frames < len(self._items)
            or 0 < self._seconds < now - self._items[0][1]
        )


class Trigger:
    """Fires with the frame whose attribute is true or other than 0 where that before was not.

    Before the first frame it counts as false. A frame without the attribute, or with a text
    there, counts as false too; without a name nothing ever fires.
    """

    def __init__(self, attribute: str = "") -> None:
        self._attribute = attribute
        self._was = False

    @property
    def enabled(self) -> bool:
        """Whether it can ever fire."""
        return bool(self._attribute)

    def fires(self, frame: Frame) -> bool:
        """Look at the next frame."""
        if not self._attribute:
            return False
        was, self._was = self._was, self._holds(frame)
        return self._was and not was

    def _holds(self, frame: Frame) -> bool:
        try:
            return bool(attributes(frame).get(self._attribute, False))
        except MalformedMessage:
            return False
