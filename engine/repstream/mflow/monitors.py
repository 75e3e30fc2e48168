"""Events of a socket: who connects, who goes, and since when nobody is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message


class SocketEventListener:
    """Calls all `callbacks` from a thread at each event of a socket.

    An event is a dict with `event`, `value` and `endpoint`; None is given every
    `receive_timeout` seconds without one, so that a callback can follow the time as well.
    `events` says which events are listened to (all).
    """

    DEFAULT_SOCKET_RECEIVE_TIMEOUT = 0.1

    def __init__(
        self,
        callbacks: Iterable[Callable[[dict[str, Any] | None], object]],
        events: int | None = None,
        receive_timeout: float | None = None,
    ) -> None:
        timeout = self.DEFAULT_SOCKET_RECEIVE_TIMEOUT if receive_timeout is None else receive_timeout
        self.receive_timeout = round(timeout * 1000)
        self.callbacks = callbacks
        self.events = zmq.Event.ALL if events is None else events
        self.monitor_listening = threading.Event()
        self.monitor_thread: threading.Thread | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._source: zmq.Socket[bytes] | None = None

    def start(self, socket: zmq.Socket[bytes]) -> None:
        """Listen, if not already."""
        if self.monitor_listening.is_set():
            return
        self._socket = socket
        self._source = source = socket.get_monitor_socket(self.events)
        self.monitor_listening.set()
        self.monitor_thread = threading.Thread(
            target=self._listen, args=(source,), name="socket events", daemon=True
        )
        self.monitor_thread.start()

    def stop(self) -> None:
        """Listen no more; when this returns no callback is called again."""
        self.monitor_listening.clear()
        if self._socket is not None and not self._socket.closed:
            self._socket.disable_monitor()
        self._socket = None
        if self.monitor_thread is threading.current_thread() and self._source is not None:
            # A callback stops it: its own thread cannot be waited for.
            self._source.close(linger=0)
        elif self.monitor_thread is not None:
            self.monitor_thread.join()

    def _listen(self, source: zmq.Socket[bytes]) -> None:
        try:
            while self.monitor_listening.is_set():
                event = self._next(source)
                if event is not None and event["event"] == zmq.Event.MONITOR_STOPPED:
                    break
                for callback in tuple(self.callbacks):
                    callback(event)
        finally:
            # Left open, it would keep the context from ending.
            source.close(linger=0)
            self.monitor_listening.clear()

    def _next(self, source: zmq.Socket[bytes]) -> dict[str, Any] | None:
        if not source.poll(self.receive_timeout):
            return None
        event: dict[str, Any] = dict(parse_monitor_message(source.recv_multipart()))
        return event


class ConnectionCountMonitor:
    """Counts the peers that a bound socket accepts, and calls `callback(count)` at once and at each event.

    The count is mflow's: it begins at 0 whoever is connected already, so it falls below 0 when a
    peer leaves that came before the monitor. A stream that connects accepts nobody; its count
    only falls.
    """

    def __init__(self, callback: Callable[[int], object]) -> None:
        self.callback = callback
        self.client_counter = 0
        callback(0)

    def __call__(self, event: dict[str, Any] | None) -> None:
        if event is not None:
            if event["event"] == zmq.Event.ACCEPTED:
                self.client_counter += 1
            elif event["event"] == zmq.Event.DISCONNECTED:
                self.client_counter -= 1
            elif event["event"] == zmq.Event.CLOSED:
                self.client_counter = 0
        self.callback(self.client_counter)


def no_clients_timeout_notifier(
    no_client_action: Callable[[], object], no_client_timeout: float
) -> Callable[[int], None]:
    """A callback for `ConnectionCountMonitor` that acts when nobody is there.

    `no_client_action` is called when nobody has been connected for more than
    `no_client_timeout` seconds, and again after as long.
    """
    since: float | None = None

    def follow(client_counter: int) -> None:
        nonlocal since
        now = time.monotonic()
        if client_counter > 0:
            since = None
        elif since is None:
            since = now
        elif now - since > no_client_timeout:
            # Counted anew before the action, which may take its time.
            since = now
            no_client_action()

    return follow
