"""The input: one ZMQ socket that hands out messages as they came."""

from __future__ import annotations

import zmq

from repstream.errors import Refused
from repstream.parameters.source import SourceConfig
from repstream.sockets.monitor import PeerMonitor
from repstream.sockets.refusals import why_not
from repstream.sockets.security import Denials, security
from repstream.sources.inquiry import Inquiry

_MIB = 1 << 20
_NOBLOCK = int(zmq.NOBLOCK)


LONG_HANDSHAKE = 1.0
"""Seconds after which a handshake that is not over is worth a look at the peer."""

PATIENCE_MS = 10
"""How long `ZmqSource.receive` waits for a message where it may."""

ASSUMED_BYTES = _MIB
"""Size of an image while nothing is known of it: neither configured nor seen since the process began."""


def open_source(
    config: SourceConfig, context: zmq.Context[zmq.Socket[bytes]], expected: int = 0
) -> ZmqSource:
    """See `opening.Opener`."""
    return ZmqSource(context, config, expected)


class ZmqSource:
    """The socket that frames come from; fills `Source`.

    `expected` is the size of an image in bytes, 0 where nothing is known of it; it decides how many
    messages the socket may hold. Raises `Refused` where the address cannot be connected to or bound;
    nothing stays open then. Used from one thread.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], config: SourceConfig, expected: int = 0
    ) -> None:
        self._context = context
        self._config = config
        self._limit = self._limit_for(expected or ASSUMED_BYTES)
        self._inquiry = Inquiry(config.address, config.mode)
        self._security = security(
            config.curve_key, config.curve_peers, "source", binds=config.connection == "bind"
        )
        self._denials = Denials("the input")
        self._open()

    @property
    def pollable(self) -> zmq.Socket[bytes]:
        """The socket, which is another one after `update` has opened it anew."""
        return self.socket

    @property
    def problem(self) -> str:
        """What is wrong at the other end, where somebody answers there and no connection comes about."""
        if self.connected:
            return ""
        address, mode = self._config.address, self._config.mode
        if self._security.encrypts and self._monitor.refused:
            return self._key_problem
        if self._config.connection == "connect":
            return self._inquiry.problem
        return f"what connected to {address} cannot send to a {mode} socket" if self._monitor.refused else ""

    @property
    def connected(self) -> bool:
        """Whether a peer has completed its handshake and is there."""
        return self._monitor.peers > 0

    @property
    def denied(self) -> int:
        """How often somebody without a key, or with a wrong one, was refused."""
        return self._monitor.denied if self._security.encrypts and self._config.connection == "bind" else 0

    @property
    def capacity(self) -> int:
        """Messages that may wait in the socket."""
        return self._limit

    def receive(self, patient: bool = False) -> list[zmq.Frame] | None:
        """The parts of the next message, or None when none waits nor (`patient`) comes soon.

        They are never copied, small ones neither: a `zmq.Frame` brings along whether more
        follow, which costs more to ask of the socket than a copy saves.
        """
        recv = self._recv
        try:
            part: zmq.Frame = recv(0 if patient else _NOBLOCK, False)
        except zmq.Again:
            return None
        parts = [part]
        while part.more:
            part = recv(0, False)
            parts.append(part)
        return parts

    def update(self) -> None:
        """Follow who comes and goes, and open the socket anew where libzmq has given up."""
        monitor = self._monitor
        monitor.update()
        self._denials.note(self.denied)
        if self._config.connection == "bind":
            return
        if monitor.given_up or monitor.handshaking > LONG_HANDSHAKE:
            self._inquiry.begin()
        # What waits would be lost with the socket.
        if monitor.given_up and not self._waiting():
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
        # Once and for all: changed while a peer is there it stalls that peer, or ends the process when
        # the peer is just leaving (libzmq 4.3.5).
        self.socket.rcvhwm = self._limit
        self.socket.rcvtimeo = PATIENCE_MS
        # A detector that loses its power sends no farewell.
        self.socket.tcp_keepalive = 1
        self.socket.tcp_keepalive_idle = 10
        self.socket.tcp_keepalive_intvl = 5
        self.socket.tcp_keepalive_cnt = 3
        self._security.apply(self._context, self.socket)
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
            reason = f"cannot {verb} {config.address}: {why_not(error)}"
            raise Refused("source.address", reason) from error

    @property
    def _key_problem(self) -> str:
        """Why an encrypted connection does not come about."""
        config = self._config
        if config.connection == "bind":
            return f"what connected to {config.address} has no key, or none of {config.curve_peers}"
        return (
            f"{config.address} answers, but not with the key {config.curve_peers}, or it does not know our "
            f"key {config.curve_key}, or it is not encrypted"
        )

    def _limit_for(self, size: int) -> int:
        """How many messages of this size may wait."""
        room = self._config.buffer_memory * _MIB // max(size, 1)
        return max(1, min(self._config.buffer_size, room))

    def _waiting(self) -> bool:
        return bool(self.socket.poll(0))
