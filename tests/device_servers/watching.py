"""Change events of an attribute, as a client gets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from time import monotonic
from typing import Any

import tango


class Watch:
    """What a subscriber is told, in order; `next_where` waits for it."""

    def __init__(self) -> None:
        self._told: Queue[Any] = Queue()
        self.others: list[Any] = []
        """Values that came while another was waited for."""

    def __call__(self, event: Any) -> None:
        if not event.err:  # a server that goes or comes is told as an error
            self._told.put(event.attr_value)

    def next_where(self, wanted: Callable[[Any], bool], seconds: float = 30.0) -> Any:
        """The next that is as `wanted`; fails when it does not come."""
        end = monotonic() + seconds
        while True:
            try:
                told = self._told.get(timeout=max(0.0, end - monotonic()))
            except Empty:
                raise AssertionError(f"no such event; what came: {self.others}") from None
            if wanted(told):
                return told
            self.others.append(told.value)

    def comes(self, wanted: Callable[[Any], bool], seconds: float) -> bool:
        """Whether an event whose value is as `wanted` comes within this time."""
        try:
            self.next_where(lambda told: wanted(told.value), seconds)
        except AssertionError:
            return False
        return True

    def next_value(self, value: object) -> Any:
        """The next event with this value."""
        return self.next_where(lambda told: told.value == value)


@contextmanager
def watching(proxy: tango.DeviceProxy, attribute: str) -> Iterator[Watch]:
    """Subscribed to change events, which never come by polling: nothing here is polled."""
    watch = Watch()
    subscription = proxy.subscribe_event(attribute, tango.EventType.CHANGE_EVENT, watch)
    try:
        assert not proxy.is_attribute_polled(attribute)
        yield watch
    finally:
        proxy.unsubscribe_event(subscription)
