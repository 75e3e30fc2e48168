"""`Pictures`: all that a front end may ask of the pictures of an engine, wherever it runs.

A picture is reduced once for all who ask for the same view, and only when somebody asks. It is
synchronous and thread-safe; callbacks come from one thread, one at a time, and must not block: a
callback that hands the picture on (to an event loop, say) and returns is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from repstream.pictures.picture import Picture, View
from repstream.protocol import Subscription

Callback = Callable[[Picture], None]


class Pictures(Protocol):
    """The pictures of one engine. Slots count from 1.

    A `view` of None is what the slot's parameters say. A slot that is off, or gets no images, has no
    pictures: nothing comes until it does.
    """

    def latest(self, slot: int, view: View | None = None, timeout: float = 2.0) -> Picture | None:
        """The picture at hand, or the next one; None where none comes within `timeout` seconds.

        Blocks; an event loop takes `next`.
        """

    def next(self, slot: int, callback: Callback, view: View | None = None, after: int = 0) -> Subscription:
        """Call back once, with the newest picture whose `number` is not `after`.

        So a viewer sets its own pace: it asks again when it has shown the last one. Closing gives up.
        """

    def subscribe(self, slot: int, callback: Callback, view: View | None = None) -> Subscription:
        """Call back with each new picture until closed; what a slow callback misses is left out."""
