"""Who is at the other end of a socket, told by libzmq's monitor events."""

from __future__ import annotations

from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

_OPENED = zmq.Event.CONNECTED | zmq.Event.ACCEPTED
_SUCCEEDED = zmq.Event.HANDSHAKE_SUCCEEDED
_CLOSED = zmq.Event.DISCONNECTED
# libzmq connects again after HANDSHAKE_FAILED_NO_DETAIL, but not after these two.
_GIVEN_UP = zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_AUTH


class PeerMonitor:
    """Counts the peers of one socket; made before the socket connects or binds.

    `peers`: those whose handshake succeeded and that are there now. `disconnects`: those
    that went away. `given_up`: a handshake failed in a way after which libzmq never connects
    again (a greeting with an unknown security mechanism; found with libzmq 4.3.5).
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.disconnects = 0
        self.given_up = False
        self._handshaking: list[int] = []
        # Different I/O threads tell of opening and of the rest, so the rest may come first.
        self._early_successes = 0
        self._early_closings: set[int] = set()
        self._peers: set[int] = set()
        self._socket = socket
        self._events: Any = socket.get_monitor_socket(_OPENED | _SUCCEEDED | _CLOSED | _GIVEN_UP)

    @property
    def peers(self) -> int:
        return len(self._peers)

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
        self._socket.disable_monitor()
        self._events = None

    def _book(self, event: int, descriptor: int) -> None:
        if event & _OPENED:
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
        elif event & _GIVEN_UP:
            self.given_up = True
        else:
            self._lose(descriptor)

    def _succeed(self) -> None:
        # The event does not say whose handshake it was: the latest one's, nearly always.
        self._peers.add(self._handshaking.pop())

    def _lose(self, descriptor: int) -> None:
        if descriptor in self._peers:
            self._peers.remove(descriptor)
            self.disconnects += 1
        elif descriptor in self._handshaking:
            self._handshaking.remove(descriptor)
        else:
            self._early_closings.add(descriptor)
