"""The pictures of one slot, taken only while somebody reads them or has subscribed.

Pictures arrive in a thread of theirs, are pushed by the publisher and read under the device's monitor.
The next one is asked for when the last one has been handled, so what is slow gets fewer and never old ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture
from repstream.pictures.protocol import Pictures
from repstream.protocol import Subscription

LOOK = 5.0
"""Seconds for which pictures are taken after one was read."""

PATIENCE = 0.25
"""Seconds that the first reader waits at most, while the device answers nobody else.

The monitor cannot be given up in between: what one request read already lies in the attributes themselves,
where another client's request would overwrite it. Who subscribes waits for nothing.
"""


class Feed:
    """Pictures of `slot`; `arrived` is called, in the pictures' thread, with each that came.

    Whoever handles that calls `go_on` afterwards.
    """

    def __init__(self, link: PictureLink, slot: int, arrived: Callable[[], None]) -> None:
        self._link, self._slot, self._arrived = link, slot, arrived
        self._lock = threading.Lock()
        self._came = threading.Event()
        self._source: Pictures | None = None
        self._wish: Subscription | None = None
        self._picture: Picture | None = None
        self._looked = float("-inf")

    def latest(self) -> Picture | None:
        """The newest picture; None where there is none. Whoever asks counts as looking for a while."""
        if not self._link.may_come(self._slot):
            return None
        with self._lock:
            self._looked = monotonic()
            begins = self._source is None
            if begins:
                self._ask_at(self._link.of(self._slot))
        if begins:
            self._came.wait(PATIENCE)
        return self._picture

    @property
    def picture(self) -> Picture | None:
        """The picture that came last, while somebody looks."""
        return self._picture

    def go_on(self, watched: bool) -> None:
        """Ask for the next picture, or for none where nobody looks; `watched`: somebody has subscribed."""
        with self._lock:
            if not self._is_looked_at(watched):
                self._stop()
            elif self._wish is None and self._source is not None:
                self._ask()

    def tend(self, watched: bool) -> None:
        """Every few seconds: begin or end looking, and go where the pictures are now."""
        source = self._link.of(self._slot)
        with self._lock:
            if not self._is_looked_at(watched):
                self._stop()
            elif source is not self._source:
                self._stop()
                self._ask_at(source)

    def close(self) -> None:
        """Ask for nothing more."""
        with self._lock:
            self._stop()

    def _is_looked_at(self, watched: bool) -> bool:
        return watched or monotonic() < self._looked + LOOK

    def _ask_at(self, source: Pictures | None) -> None:
        self._source = source
        self._came.clear()
        if source is not None:
            self._ask()

    def _ask(self) -> None:
        assert self._source is not None
        after = self._picture.number if self._picture is not None else 0
        self._wish = self._source.next(self._slot, self._take, after=after)

    def _take(self, picture: Picture) -> None:
        with self._lock:
            if self._wish is None:
                return
            self._wish, self._picture = None, picture
        self._came.set()
        self._arrived()

    def _stop(self) -> None:
        if self._wish is not None:
            self._wish.close()
        self._source = self._wish = self._picture = None
