"""A live stream: a policy, a transport, and a queue for what the transport does not take at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from repstream.accounting import OutputLedger
from repstream.dataplane.control import StreamReport
from repstream.dataplane.last_frames import LastFrame
from repstream.dataplane.steps import Step
from repstream.dataplane.transport import Transport
from repstream.dataplane.workers import Work, Workers
from repstream.errors import MalformedMessage
from repstream.messages.frame import Frame
from repstream.parameters.stream import OutputConfig, StreamConfig
from repstream.policies import decimation
from repstream.policies.slow_consumer import OutputQueue, SlowRule
from repstream.sockets.security import Guarded
from repstream.sources.ring_image import RingImage, settled

log = logging.getLogger(__name__)

MIB = 1 << 20


class Passing(msgspec.Struct, gc=False):
    """A message without an image on its way through a stream: its kind, and the fields of a `Frame`."""

    parts: Sequence[Any]
    nbytes: int
    kind: str = ""
    frame_id: None = None
    unpacked: int = 0


@runtime_checkable
class PassingStep(Protocol):
    """A `Step` that other messages pass, too."""

    def pass_on(self, message: Passing) -> Passing:
        """The message that goes out from one without an image."""


def policy_of(config: OutputConfig) -> decimation.Policy:
    """A fresh policy with the parameters of an output."""
    return decimation.make(
        config.policy,
        every_nth=config.every_nth,
        every_nth_offset=config.every_nth_offset,
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
    """One stream from open to close: a queue with its rule, and a transport. Used from one thread.

    `step` makes the frame that goes out from the one that came in; where there is one, no other
    message goes out, unless it is a `PassingStep`. What it takes long to make is made by other threads,
    which call `wake` when a frame is ready; till it is sent it counts as queued.
    """

    def __init__(
        self,
        name: str,
        config: StreamConfig,
        transport: Transport,
        step: Step | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.ledger = OutputLedger()
        self.transport = transport
        self._send = transport.send
        self._config = config
        self._step = step
        self._wake = wake
        self._workers: Workers | None = None
        self._decide = deciding(config)
        self._period = policy_of(config).period
        self._last: LastFrame | None = None
        self._queue = queue_of(config)
        self._held: Frame | Passing | Work | None = None

    @property
    def blocking(self) -> bool:
        """Whether a frame waits for room in the queue, so that no more may be received."""
        return self._held is not None

    @property
    def waiting(self) -> bool:
        """Whether frames wait to be sent."""
        return self.ledger.queued > 0

    @property
    def working(self) -> bool:
        """Whether what is next is still made; `wake` is called when it is ready."""
        return self._workers is not None and len(self._workers) > 0 and not self._workers.is_ready

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
            if self._last is not None and self._period is not None:
                self._last.note(frame, now + self._period)
            return False
        if self._last is not None:
            self._last.note(frame)
        if frame.payloads and isinstance(frame.payloads[0], RingImage):
            stable = settled(frame)
            if stable is None:
                self.ledger.book_dropped("overwritten")
                return False
            frame = stable
        if self._step is not None:
            try:
                made = self._step(frame)
            except Exception as error:
                self.ledger.book_dropped(_reason(error))
                return False
            if made is None:
                self.ledger.book_dropped("format")
                return False
            if isinstance(made, Work):
                return self._have_made(made)
            frame = made
        return self._put(frame)

    def pass_on(self, message: Passing) -> bool:
        """Send, queue or skip a message without an image, whatever the policy; as `offer`."""
        if isinstance(self._step, PassingStep):
            message = self._step.pass_on(message)
        elif self._step is not None:
            self.ledger.book_skipped("format")
            return False
        return self._put(message)

    def lose(self, count: int, reason: str) -> None:
        """Count frames that are lost before they were offered."""
        for _ in range(count):
            self.ledger.book_dropped(reason)

    def drain(self) -> None:
        """Send what waits, as much as the transport takes and is made."""
        queue, ledger = self._queue, self.ledger
        while True:
            self._feed()
            workers = self._workers
            if workers:
                if not workers.is_ready or not self._send_made(workers):
                    return
            elif len(queue):
                frame = queue.head()
                if not self._send(frame.parts):
                    return
                queue.pop()
                ledger.book_sent(frame.frame_id, frame.nbytes - frame.unpacked)
                self._let_in()
            else:
                return

    def give_up(self) -> int:
        """Discard what waits at the end; how many frames that were."""
        self._held = None
        self._queue.clear()
        if self._workers is not None:
            self._workers.clear()
        left = self.ledger.queued
        self.ledger.book_discarded("stop", left)
        return left

    def update(self, config: StreamConfig) -> None:
        """Take the parameters that may change while running; a policy that stays keeps its memory."""
        policy = policy_of(config)
        if policy != policy_of(self._config):
            self._decide, self._period = deciding(config), policy.period
        self._config = config

    def keep(self, last: LastFrame | None) -> None:
        """Note in `last` each frame that is sent, and what only the time has kept from it; None: no more."""
        self._last = last

    def watch(self) -> None:
        """Follow who comes and goes."""
        self.transport.update()

    def report(self) -> StreamReport:
        return StreamReport(
            ledger=self.ledger.snapshot(),
            queue_use=100.0 if self.blocking else 100.0 * self._queue.use,
            clients=self.transport.consumers,
            disconnects=self.transport.disconnects,
            blocking=self.blocking,
            denied=self.transport.denied if isinstance(self.transport, Guarded) else 0,
        )

    def close(self, linger: float) -> None:
        """Close the transport; what it has taken has `linger` seconds to get out."""
        if self._workers is not None:
            self._workers.close()
        self.transport.close(linger)

    def _have_made(self, work: Work) -> bool:
        if self._workers is None:
            self._workers = Workers(self._wake)
        begins = not self.ledger.queued
        self.ledger.book_queued()
        self._enqueue(work)
        self._feed()
        return begins or self._held is not None

    def _feed(self) -> None:
        """Hand work at the head of the queue to the threads, as much as they soon begin."""
        workers, queue = self._workers, self._queue
        while workers is not None and workers.has_room and len(queue) and isinstance(queue.head(), Work):
            workers.put(queue.pop())
            self._let_in()

    def _send_made(self, workers: Workers) -> bool:
        """Send the oldest frame that the threads have made, or count it as lost; whether it is gone."""
        try:
            made = workers.head()
        except Exception as error:
            self.ledger.book_discarded(_reason(error))
        else:
            if not self._send(made.parts):
                return False
            self.ledger.book_sent(made.frame_id, made.nbytes - made.unpacked)
        workers.pop()
        return True

    def _let_in(self) -> None:
        """Queue the frame that is held for want of room, if there is room now."""
        if self._held is not None and self._queue.has_room(self._held.nbytes):
            held, self._held = self._held, None
            self._enqueue(held)

    def _put(self, frame: Frame | Passing) -> bool:
        ledger = self.ledger
        begins = not ledger.queued
        if begins and self._send(frame.parts):
            ledger.book_passed(frame.frame_id, frame.nbytes - frame.unpacked)
            return False
        ledger.book_queued()
        self._enqueue(frame)
        return begins or self._held is not None

    def _enqueue(self, frame: Frame | Passing | Work) -> None:
        outcome = self._queue.offer(frame, frame.nbytes)
        if outcome.full:
            self._held = frame
        else:
            self.ledger.book_discarded("queue", len(outcome.dropped))


def _reason(error: Exception) -> str:
    """Why a frame does not go out; a fault of ours must not end the streams of all others."""
    if isinstance(error, MalformedMessage):
        return error.reason
    log.error("a frame could not be converted; it is dropped, reason internal", exc_info=error)
    return "internal"
