"""What transports have in common whose consumers are the peers of one socket."""

from __future__ import annotations

import zmq

from repstream.sockets.monitor import PeerMonitor


class WatchedSocket:
    """The part of a `Transport` that counts who comes to a socket and goes, and closes it."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._monitor = PeerMonitor(socket)

    @property
    def consumers(self) -> int:
        return self._monitor.peers

    @property
    def disconnects(self) -> int:
        return self._monitor.disconnects

    def update(self) -> None:
        self._monitor.update()

    def close(self, linger: float) -> None:
        self._monitor.close()
        self.socket.close(linger=round(linger * 1000))
