"""Events of the devices, brought to the widgets a few times a second, in the thread of the window."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import tango
from PyQt5 import QtCore

from repstream_panels.tango.devices import Device, Reading, Shown, reading

PERIOD = 200
"""Milliseconds between two rounds of the window; what came in between is shown once, with its last value."""

ATTEMPTS, MOMENT = 20, 0.1

Listener = Callable[[Reading], None]
Key = tuple[str, str]


class Watch(QtCore.QObject):
    """One subscription for an attribute, however many widgets show it; `close` ends them all."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._came: dict[Key, Reading] = {}
        self._last: dict[Key, Reading] = {}
        self._listeners: dict[Key, list[Listener]] = defaultdict(list)
        self._subscriptions: list[tuple[Any, int]] = []
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._round)
        self._timer.start(PERIOD)

    def follow(self, device: Device, shown: Shown, listener: Listener) -> None:
        """Call `listener` with the value now and with each that follows."""
        key = (device.name, shown.name)
        first = key not in self._listeners
        self._listeners[key].append(listener)
        if first:
            self._last[key] = device.read(shown)
            self._subscribe(device, key)
        listener(self._last[key])

    def close(self) -> None:
        """No listener is called after this."""
        self._timer.stop()
        for proxy, subscription in self._subscriptions:
            _patiently(partial(proxy.unsubscribe_event, subscription))
        self._subscriptions.clear()

    def _subscribe(self, device: Device, key: Key) -> None:
        def take(event: Any) -> None:  # in a thread of Tango
            # A server that went: it comes back by itself, and until then nothing is known.
            came = Reading() if event.err else reading(event.attr_value)
            with self._lock:
                self._came[key] = came

        subscription = _patiently(
            lambda: device.proxy.subscribe_event(key[1], tango.EventType.CHANGE_EVENT, take)
        )
        self._subscriptions.append((device.proxy, subscription))

    def _round(self) -> None:
        with self._lock:
            came, self._came = self._came, {}
        for key, new in came.items():
            if new != self._last[key]:
                self._last[key] = new
                for listener in self._listeners[key]:
                    listener(new)


def _patiently(call: Callable[[], Any]) -> Any:
    """Call again after a moment where ZMQ has no socket left.

    cppTango opens one for each subscription and its end, ZMQ takes at most 1,023 and closes them later.
    """
    for _ in range(ATTEMPTS):
        try:
            return call()
        except tango.DevFailed as failed:
            if "Too many open files" not in failed.args[0].desc:
                raise
            time.sleep(MOMENT)
    return call()
