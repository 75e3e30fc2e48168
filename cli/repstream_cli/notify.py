"""Telling systemd that the service is ready, and that it is alive: the protocol of sd_notify(3).

Without systemd (no NOTIFY_SOCKET) nothing is done.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

SHARE = 0.4
"""Of the time that systemd's watchdog waits, how much may pass between two signs of life."""


class Notifier:
    """Signs of life for the manager of this process.

    `pulse` returns a number that rises while the service works: without a new one there is no sign of
    life, so that systemd restarts a service that hangs, not only one that ended.
    """

    def __init__(self, pulse: Callable[[], object], environment: Mapping[str, str] = os.environ) -> None:
        self._pulse = pulse
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = environment.get("WATCHDOG_USEC", "") if ours else ""
        self._interval = int(micros) / 1e6 * SHARE if micros.isdigit() else None
        self._last: object = None
        self._next = 0.0

    def ready(self, status: str) -> None:
        """Everything answers."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def tend(self) -> None:
        """A sign of life, where one is due and there is life; call it more often than that."""
        if self._interval is None or time.monotonic() < self._next:
            return
        pulse = self._pulse()
        if pulse != self._last:
            self._last, self._next = pulse, time.monotonic() + self._interval
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A manager that is busy or gone must not hold the service up.
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there,
        ):
            there.setblocking(False)
            there.sendto(message.encode(), self._address)
