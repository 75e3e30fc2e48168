"""A subscription to pictures that are asked for one by one."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from repstream.pictures.picture import Picture, View
from repstream.pictures.protocol import Callback
from repstream.protocol import Subscription

log = logging.getLogger(__name__)


class NextPicture(Protocol):
    """What a subscription asks: `next` of `Pictures`."""

    def next(self, slot: int, callback: Callback, view: View | None = None, after: int = 0) -> Subscription:
        """Call back once, with the newest picture whose `number` is above `after`."""


class Following:
    """A subscription: asks for the next picture when its callback has returned."""

    def __init__(self, pictures: NextPicture, slot: int, callback: Callback, view: View | None) -> None:
        self._pictures, self._slot, self._view = pictures, slot, view
        self._callback = callback
        self._closed = False
        self._lock = threading.Lock()
        with self._lock:
            self._wish = pictures.next(slot, self._take, view)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wish.close()

    def _take(self, picture: Picture) -> None:
        if self._closed:
            return
        guarded(self._callback, picture)
        with self._lock:
            if not self._closed:
                self._wish = self._pictures.next(self._slot, self._take, self._view, picture.number)


def guarded(callback: Callback, picture: Picture) -> None:
    """Call a viewer back; its fault must not reach the others."""
    try:
        callback(picture)
    except Exception:
        log.exception("a viewer of pictures failed")
