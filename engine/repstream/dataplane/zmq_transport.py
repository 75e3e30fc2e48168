"""A ZMQ socket that sends a stream: PUSH or PUB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from repstream.dataplane.watched_socket import WatchedSocket
from repstream.errors import Refused
from repstream.parameters.stream import StreamConfig
from repstream.policies.slow_consumer import SlowRule
from repstream.sockets.refusals import why_not
from repstream.sockets.security import Denials, security
from repstream.sources.zmq import ASSUMED_BYTES

MIB = 1 << 20
SOCKET_BYTES = 32 * MIB
SOCKET_MESSAGES = (4, 1000)
"""How much a PUSH socket holds for one consumer beside the queue, in bytes and messages.

Enough to keep a consumer busy while the loop does other things. What is in the socket is
booked as sent and dies with the consumer, so the rest waits in the queue, where it is counted.
"""

_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)

_COPY = False
"""Parts that are no messages of ZMQ are copied all the same below 64 KiB, which is faster (pyzmq)."""


def open_transport(
    name: str,
    config: StreamConfig,
    context: zmq.Context[zmq.Socket[bytes]],
    *,
    connect: bool = False,
    expected: int = 0,
) -> ZmqTransport:
    """See `transport.Opener`."""
    return ZmqTransport(name, config, context, connect, expected or ASSUMED_BYTES)


class ZmqTransport(WatchedSocket):
    """The socket of one stream; fills `Transport`.

    A PUSH socket is kept nearly empty, so that a consumer that is slow or absent fills the
    queue and its rule applies. A PUB socket drops for each slow consumer on its own, uncounted
    by libzmq, and therefore has the room of the whole queue; only with the rule to block does
    it report that a consumer is slow (XPUB_NODROP), and then all consumers wait for that one.
    """

    def __init__(
        self,
        name: str,
        config: StreamConfig,
        context: zmq.Context[zmq.Socket[bytes]],
        connect: bool,
        expected: int,
    ) -> None:
        self._security = security(config.curve_key, config.curve_peers, f"streams.{name}", binds=not connect)
        lossless = config.mode == "PUSH" or config.on_slow == SlowRule.BLOCK
        super().__init__(context.socket(zmq.PUSH if config.mode == "PUSH" else zmq.PUB))
        # The wrapper of this one checks for cases that do not occur here, for each part.
        self._send_part = super(zmq.Socket, self.socket).send
        self._denials = Denials(f"stream {name}")
        if config.mode == "PUB" and lossless:
            self.socket.xpub_nodrop = True
        # Once and for all: changed while a peer is there it stalls that peer, or ends the process when
        # the peer is just leaving (libzmq 4.3.5).
        self.socket.sndhwm = _limit(config, lossless, expected)
        # A PUB's POLLOUT says always that it takes a message.
        self.room: zmq.Socket[bytes] | None = self.socket if config.mode == "PUSH" else None
        self._security.apply(context, self.socket)
        try:
            (self.socket.connect if connect else self.socket.bind)(config.address)
        except zmq.ZMQError as error:
            self.close(0)
            verb = "connect to" if connect else "bind"
            reason = f"cannot {verb} {config.address}: {why_not(error)}"
            raise Refused(f"streams.{name}.address", reason) from error

    @property
    def denied(self) -> int:
        """How often somebody without a key, or with a wrong one, was refused."""
        return self._monitor.denied if self._security.encrypts else 0

    def send(self, parts: Sequence[Any]) -> bool:
        """Hand one message to the socket, whole or not at all; whether it took it."""
        send = self._send_part
        try:
            if len(parts) == 2:
                send(parts[0], _MORE, _COPY)
                send(parts[1], _LAST, _COPY)
            else:
                self._send_many(parts)
        except zmq.Again:
            return False
        return True

    def update(self) -> None:
        super().update()
        self._denials.note(self.denied)

    def _send_many(self, parts: Sequence[Any]) -> None:
        for number, part in enumerate(parts):
            try:
                self._send_part(part, _LAST if number == len(parts) - 1 else _MORE, _COPY)
            except zmq.Again:
                # A consumer that leaves within a message: libzmq swallows the parts up to the
                # last one, so they must be sent before anything else is.
                if 0 < number < len(parts) - 1:
                    self._send_many(parts[number + 1 :])
                raise


def _limit(config: StreamConfig, lossless: bool, nbytes: int) -> int:
    """How many messages of this size the socket may hold for one consumer."""
    if lossless:
        least, most = SOCKET_MESSAGES
        return min(max(SOCKET_BYTES // max(nbytes, 1), least), most)
    return max(1, min(config.buffer_size, config.buffer_memory * MIB // max(nbytes, 1)))
