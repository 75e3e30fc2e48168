"""Who is at the other end of a socket, according to libzmq's monitor events."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

_OPENED = zmq.Event.CONNECTED | zmq.Event.ACCEPTED
_SUCCEEDED = zmq.Event.HANDSHAKE_SUCCEEDED
_CLOSED = zmq.Event.DISCONNECTED
_RETRIED = zmq.Event.CONNECT_RETRIED

GRACE = 0.3
"""Seconds from the loss of a connection in which libzmq says that it tries again, if it does."""


class PeerMonitor:
    """Counts the peers of one socket; made before the socket connects or binds.

    `peers`: those whose handshake succeeded and that are there now. `disconnects`: those
    that went away.
    `refused`: the handshake of somebody failed, and none has succeeded since.
    `denied` counts handshakes that failed: of a peer without a key or with a wrong one, or of another
    kind. libzmq's own events for failures leave out those who hang up first, as peers without a key do.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.disconnects = 0
        self.denied = 0
        self.refused = False
        self._handshaking: list[int] = []
        # Different I/O threads report the opening and the rest, so the rest may come first.
        self._early_successes = 0
        self._early_closings: set[int] = set()
        self._peers: set[int] = set()
        self._lost_at: float | None = None
        self._opened_at = 0.0
        self._socket = socket
        self._events: Any = socket.get_monitor_socket(_OPENED | _SUCCEEDED | _CLOSED | _RETRIED)

    @property
    def peers(self) -> int:
        return len(self._peers)

    @property
    def given_up(self) -> bool:
        """Whether a socket that connects never will again.

        libzmq (4.3.5) does not try again after what it takes for an error of protocol: a peer of the
        wrong socket type, of another security mechanism, or some that are no ZMQ sockets. Of these it
        announces only some, but whenever it tries again it says so.
        """
        return self._lost_at is not None and time.monotonic() - self._lost_at > GRACE

    @property
    def handshaking(self) -> float:
        """Seconds since the last connection was opened, if its handshake is not over; else 0."""
        return time.monotonic() - self._opened_at if self._handshaking else 0.0

    def update(self) -> None:
        """Take in what happened since the last call."""
        while self._events is not None:
            try:
                event = parse_monitor_message(self._events.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            self._book(event["event"], event["value"])

    def close(self) -> None:
        """Stop watching; call it before the socket is closed."""
        if self._events is not None:
            with suppress(zmq.ContextTerminated):  # which waits for the sockets to be closed
                self._socket.disable_monitor()
            self._events.close(0)  # which pyzmq leaves to the garbage collector
            self._events = None

    def _book(self, event: int, descriptor: int) -> None:
        if event & _RETRIED:
            self._lost_at = None
        elif event & _OPENED:
            self._opened_at = time.monotonic()
            self._handshaking.append(descriptor)
            if self._early_successes:
                self._early_successes -= 1
                self._succeed()
            if descriptor in self._early_closings:
                self._early_closings.remove(descriptor)
                self._lose(descriptor)
        elif event & _SUCCEEDED:
            if self._handshaking:
                self._succeed()
            else:
                self._early_successes += 1
        else:
            self._lost_at = time.monotonic()
            self._lose(descriptor)

    def _succeed(self) -> None:
        # The event does not say whose handshake it was: the latest one's, nearly always.
        self._peers.add(self._handshaking.pop())
        self.refused = False

    def _lose(self, descriptor: int) -> None:
        if descriptor in self._peers:
            self._peers.remove(descriptor)
            self.disconnects += 1
        elif descriptor in self._handshaking:
            self._handshaking.remove(descriptor)
            self.refused = True
            self.denied += 1
        else:
            self._early_closings.add(descriptor)
