"""A live stream: a policy, a socket, and a queue for what the socket does not take at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import zmq

from repstream.accounting import OutputLedger
from repstream.dataplane.control import StreamReport
from repstream.errors import Refused
from repstream.messages.frame import Frame
from repstream.parameters.stream import OutputConfig, StreamConfig
from repstream.policies import decimation
from repstream.policies.slow_consumer import OutputQueue, SlowRule
from repstream.sources.monitor import PeerMonitor
from repstream.sources.zmq import ASSUMED_BYTES

MIB = 1 << 20
SOCKET_BYTES = 32 * MIB
SOCKET_MESSAGES = (4, 1000)
"""How much a PUSH socket holds for one consumer beside the queue, in bytes and messages.

Enough to keep a consumer busy while the loop does other things. What is in the socket is
booked as sent and dies with the consumer, so the rest waits in the queue, where it is counted.
"""

_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)

Rewrite = Callable[[Frame], Frame | None]


class Passing(msgspec.Struct, gc=False):
    """A message without an image on its way through a stream; the fields are those of a `Frame`."""

    parts: Sequence[Any]
    nbytes: int
    frame_id: None = None
    unpacked: int = 0


def policy_of(config: OutputConfig) -> decimation.Policy:
    """A fresh policy with the parameters of an output."""
    return decimation.make(
        config.policy,
        every_nth=config.every_nth,
        every_sec=config.every_sec,
        burst=config.burst,
        frame_block=config.frame_block,
        stride=config.stride,
        burst_rate=config.burst_rate,
        modulo=config.modulo,
    )


def deciding(config: OutputConfig) -> Callable[[int, float], bool] | None:
    """What a fresh policy is asked; None where it sends every frame, and need not be asked."""
    policy = policy_of(config)
    return None if isinstance(policy, decimation.Forward) else policy.decide


def queue_of(config: OutputConfig) -> OutputQueue[Any]:
    """An empty queue with the rule and the limits of an output."""
    return OutputQueue(SlowRule(config.on_slow), config.buffer_size, config.buffer_memory * MIB)


class StreamOutput:
    """One stream from bind to close. Used from one thread.

    A PUSH socket is kept nearly empty, so that a consumer that is slow or absent fills the
    queue and its rule applies. A PUB socket drops for each slow consumer on its own, uncounted
    by libzmq, and therefore has the room of the whole queue; only with the rule to block does
    it report that a consumer is slow (XPUB_NODROP), and then all consumers wait for that one.

    `rewrite` makes the frame that goes out from the one that came in, or None of a format that
    it does not know; no other message goes out then. With `connect` the consumer
    binds the address and this connects to it. `expected` is the size of a frame in bytes, 0 where
    nothing is known of it; it decides how many frames the socket may hold. Raises `Refused` where
    the address cannot be bound or connected to; nothing stays open then.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        name: str,
        config: StreamConfig,
        rewrite: Rewrite | None = None,
        *,
        connect: bool = False,
        expected: int = 0,
    ) -> None:
        self.name = name
        self.ledger = OutputLedger()
        self._config = config
        self._rewrite = rewrite
        self._decide = deciding(config)
        self._queue = queue_of(config)
        self._held: Frame | Passing | None = None
        self._lossless = config.mode == "PUSH" or config.on_slow == SlowRule.BLOCK
        self._open(context, connect, expected or ASSUMED_BYTES)

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in the queue, so that no more may be received."""
        return self._held is not None

    @property
    def waiting(self) -> bool:
        """Whether frames wait to be sent."""
        return self.ledger.queued > 0

    @property
    def tells_room(self) -> bool:
        """Whether the socket's POLLOUT says that it takes a message; a PUB always says so."""
        return self._config.mode == "PUSH"

    @property
    def alarms(self) -> int:
        """Frames dropped here that count as an unplanned loss."""
        return sum(self.ledger.dropped.values()) if self._config.alarm_on_drop else 0

    def offer(self, frame: Frame, now: float) -> bool:
        """Send, skip, queue or drop one frame; whether the loop should look after this stream now.

        It should where the frame is held for want of room (`blocking`), or is the first to wait.
        `now` is a monotonic time in seconds.
        """
        decide = self._decide
        if decide is not None and not decide(frame.frame_id, now):
            self.ledger.book_skipped("policy")
            return False
        if self._rewrite is not None:
            rewritten = self._rewrite(frame)
            if rewritten is None:
                self.ledger.book_dropped("format")
                return False
            frame = rewritten
        return self._put(frame)

    def pass_on(self, message: Passing) -> bool:
        """Send, queue or drop a message without an image, whatever the policy; as `offer`."""
        if self._rewrite is not None:
            self.ledger.book_dropped("format")
            return False
        return self._put(message)

    def drain(self) -> None:
        """Send what waits, as much as the socket takes."""
        queue, ledger = self._queue, self.ledger
        while len(queue):
            frame = queue.head()
            if not self._send(frame):
                return
            queue.pop()
            ledger.book_sent(frame.frame_id, frame.nbytes - frame.unpacked)
            if self._held is not None and queue.has_room(self._held.nbytes):
                held, self._held = self._held, None
                self._enqueue(held)

    def give_up(self) -> int:
        """Discard what waits at the end; how many frames that were."""
        self._held = None
        self._queue.clear()
        left = self.ledger.queued
        self.ledger.book_discarded("stop", left)
        return left

    def update(self, config: StreamConfig) -> None:
        """Take the parameters that may change while running; a policy that stays keeps its memory."""
        if policy_of(config) != policy_of(self._config):
            self._decide = deciding(config)
        self._config = config

    def watch(self) -> None:
        """Follow who comes and goes."""
        self._monitor.update()

    def report(self) -> StreamReport:
        return StreamReport(
            ledger=self.ledger.snapshot(),
            queue_use=100.0 if self.blocking else 100.0 * self._queue.use,
            clients=self._monitor.peers,
            disconnects=self._monitor.disconnects,
            blocking=self.blocking,
        )

    def close(self, linger: float) -> None:
        """Close the socket; what is in it has `linger` seconds to get out."""
        self._monitor.close()
        self.socket.close(linger=round(linger * 1000))

    def _open(self, context: zmq.Context[zmq.Socket[bytes]], connect: bool, nbytes: int) -> None:
        config = self._config
        self.socket = context.socket(zmq.PUSH if config.mode == "PUSH" else zmq.PUB)
        # The wrapper of this one checks for cases that do not occur here, for each part.
        self._send_part = super(zmq.Socket, self.socket).send
        self._monitor = PeerMonitor(self.socket)
        if config.mode == "PUB" and self._lossless:
            self.socket.xpub_nodrop = True
        # Once and for all: changed while a peer is there it stalls that peer, or ends the process when
        # the peer is just leaving (libzmq 4.3.5).
        self.socket.sndhwm = self._limit_for(nbytes)
        try:
            (self.socket.connect if connect else self.socket.bind)(config.address)
        except zmq.ZMQError as error:
            self.close(0)
            verb = "connect to" if connect else "bind"
            reason = f"cannot {verb} {config.address}: {zmq.strerror(error.errno or 0)}"
            raise Refused(f"streams.{self.name}.address", reason) from error

    def _put(self, frame: Frame | Passing) -> bool:
        ledger = self.ledger
        begins = not ledger.queued
        if begins and self._send(frame):
            ledger.book_passed(frame.frame_id, frame.nbytes - frame.unpacked)
            return False
        ledger.book_queued()
        self._enqueue(frame)
        return begins or self._held is not None

    def _send(self, frame: Frame | Passing) -> bool:
        """Hand one frame to the socket, whole or not at all."""
        parts, send = frame.parts, self._send_part
        try:
            if len(parts) == 2:
                send(parts[0], _MORE)
                send(parts[1], _LAST)
            else:
                self._send_many(parts)
        except zmq.Again:
            return False
        return True

    def _send_many(self, parts: Sequence[Any]) -> None:
        for number, part in enumerate(parts):
            try:
                self._send_part(part, _LAST if number == len(parts) - 1 else _MORE)
            except zmq.Again:
                # A consumer that leaves within a message: libzmq swallows the parts up to the
                # last one, so they must be sent before anything else is.
                if 0 < number < len(parts) - 1:
                    self._send_many(parts[number + 1 :])
                raise

    def _limit_for(self, nbytes: int) -> int:
        """How many messages of this size the socket may hold for one consumer."""
        config = self._config
        if self._lossless:
            least, most = SOCKET_MESSAGES
            return min(max(SOCKET_BYTES // max(nbytes, 1), least), most)
        return max(1, min(config.buffer_size, config.buffer_memory * MIB // max(nbytes, 1)))

    def _enqueue(self, frame: Frame | Passing) -> None:
        outcome = self._queue.offer(frame, frame.nbytes)
        if outcome.full:
            self._held = frame
        else:
            self.ledger.book_discarded("queue", len(outcome.dropped))
