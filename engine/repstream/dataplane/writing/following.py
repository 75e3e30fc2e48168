"""Acquisitions that follow the series of a detector: one file a series, none of them too late. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from repstream.messages.series import SeriesStart

PATIENCE = 5.0
"""Seconds for which a series waits for the file of its acquisition to be asked for."""

LAST_IMAGES = 1.0
"""Seconds for which the file of a series that is over waits for images that are missing."""


@dataclass(slots=True)
class Following:
    """Which series goes into the file, and which one waits for the next file.

    A series that has begun holds up the input until its file is there, so that its first images
    are not lost while the service has that file made. `frames`: how many of each series, 0 for
    all. `is_over`: the end of the series came, but its file may still be waiting for images that
    have been overtaken by it. Times are monotonic.
    """

    enabled: bool = False
    frames: int = 0
    current: SeriesStart | None = None
    pending: SeriesStart | None = None
    is_over: bool = False
    _since: float = 0.0
    _over_since: float = 0.0

    def arm(self, enabled: bool) -> None:
        """An acquisition begins; it takes the series that waits, if there is one."""
        self.enabled, self.frames, self.current, self.is_over = enabled, 0, None, False
        if not enabled:
            self.pending = None

    def stop(self) -> None:
        """No series is followed any more, the one that waits neither."""
        self.enabled, self.pending, self.is_over = False, None, False

    def begin(self, start: SeriesStart, now: float) -> None:
        """A series begins, and waits for `take`."""
        self.pending, self._since = start, now

    def take(self) -> SeriesStart | None:
        """The series that waited is the one that goes into the file now."""
        self.current, self.pending = self.pending, None
        return self.current

    def end(self, series: int, now: float) -> bool:
        """The end of a series came: whether it is the one that goes into the file, which is over then."""
        if self.current is None or self.current.series != series:
            return False
        self.is_over, self._over_since = True, now
        return True

    def has_waited(self, now: float) -> bool:
        """Whether images that are missing at the end have had their time to come."""
        return self.is_over and now - self._over_since >= LAST_IMAGES

    def complete(self) -> None:
        """The file takes no more images of its series."""
        self.current, self.is_over = None, False

    def gives_up(self, now: float, busy: bool) -> bool:
        """Whether a series has waited too long for an acquisition; `busy`: there is one."""
        if busy:
            self._since = now
        if self.pending is None or now - self._since < PATIENCE:
            return False
        self.stop()
        return True
