"""The input: one ZMQ socket that hands out messages as they came."""

from __future__ import annotations

import zmq

from repstream.errors import Refused
from repstream.parameters.source import SourceConfig
from repstream.sources.monitor import PeerMonitor, settle

_MIB = 1 << 20
_NOBLOCK = int(zmq.NOBLOCK)


class ZmqSource:
    """The socket that frames come from.

    Raises `Refused` where the address cannot be connected to or bound; nothing stays open
    then. Used from one thread.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], config: SourceConfig) -> None:
        self._context = context
        self._config = config
        self._largest = 0
        self._fitting = 0
        self._arrived = 0
        self._open()

    @property
    def connected(self) -> bool:
        """Whether a peer has completed its handshake and is there."""
        return self._monitor.peers > 0

    @property
    def capacity(self) -> int:
        """Messages that may wait in the socket."""
        room = self._config.buffer_memory * _MIB // max(self._largest, 1)
        return max(1, min(self._config.buffer_size, room))

    def receive(self) -> list[zmq.Frame] | None:
        """The parts of the next message, or None when none waits.

        They are never copied, small ones neither: a `zmq.Frame` brings along whether more
        follow, which costs more to ask of the socket than a copy saves.
        """
        recv = self._recv
        try:
            parts: list[zmq.Frame] = [recv(_NOBLOCK, False)]
        except zmq.Again:
            return None
        while parts[-1].more:
            parts.append(recv(0, False))
        size = len(parts[-1])
        if size > self._fitting:
            self._fit(size)
        return parts

    def expect(self, size: int) -> None:
        """Be ready for images of so many bytes, whose size their last part does not tell."""
        if size > self._fitting:
            self._fit(size)

    def update(self) -> None:
        """Follow who comes and goes, and open the socket anew where libzmq has given up."""
        self._monitor.update()
        arrived = self._monitor.peers + self._monitor.disconnects
        if arrived != self._arrived:
            # Who connects to a bound socket gets the limit that held when it was bound.
            self._arrived = arrived
            settle(self.socket)
            self.socket.rcvhwm = self.capacity
        if self._monitor.given_up and self._config.connection == "connect" and not self._waiting():
            self.close()
            self._open()

    def close(self) -> None:
        """Close the socket; what still waits in it is lost."""
        self._monitor.close()
        self.socket.close(linger=0)

    def _open(self) -> None:
        config = self._config
        self.socket = self._context.socket(zmq.PULL if config.mode == "PULL" else zmq.SUB)
        # The wrapper of this one checks for cases that do not occur here, for each part.
        self._recv = super(zmq.Socket, self.socket).recv
        self._monitor = PeerMonitor(self.socket)
        self.socket.rcvhwm = self.capacity
        # A detector that loses its power sends no farewell.
        self.socket.tcp_keepalive = 1
        self.socket.tcp_keepalive_idle = 10
        self.socket.tcp_keepalive_intvl = 5
        self.socket.tcp_keepalive_cnt = 3
        try:
            if config.mode == "SUB":
                self.socket.subscribe(b"")
            if config.connection == "bind":
                self.socket.bind(config.address)
            else:
                self.socket.connect(config.address)
        except zmq.ZMQError as error:
            self.close()
            verb = "bind" if config.connection == "bind" else "connect to"
            reason = f"cannot {verb} {config.address}: {zmq.strerror(error.errno or 0)}"
            raise Refused("source.address", reason) from error

    def _fit(self, size: int) -> None:
        """Choose how many messages may wait by the size of the largest image so far.

        The limit only ever falls: one that rises while the socket is full would leave it without
        messages for ever (found with libzmq 4.3.5).
        """
        self._largest, self._fitting = size, size + size // 4
        self.socket.rcvhwm = self.capacity

    def _waiting(self) -> bool:
        return bool(self.socket.poll(0))
