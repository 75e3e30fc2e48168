"""The loop of an instance: one thread that receives, has the job done, sends, and answers its registry."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import Any

import zmq

from repstream.dataplane.outbox import Outbox
from repstream.dataplane.outputs import StreamOutput
from repstream.errors import (
    FunctionError,
    InvalidValue,
    PortTakenError,
    ProcessingError,
    Refused,
    StorageError,
)
from repstream.messages.frame import Frame
from repstream.pipelines import control
from repstream.pipelines.control import (
    PORT,
    Answer,
    Ending,
    Input,
    Logged,
    LogRecord,
    Measured,
    Notice,
    Ready,
    Reconfigure,
    Report,
    Statistics,
    Stop,
)
from repstream.pipelines.job import Job
from repstream.pipelines.measures import Meter, Usage, own_memory
from repstream.sockets.security import Guarded

TICK = 0.1
REPORT_INTERVAL = 0.5
BATCH = 0.05
"""Seconds that messages are taken in a row before anything else is looked at."""

DRAIN_TIME = 1.0
"""Seconds that what waits has to get out at the end, where somebody takes it."""

LINGER = 1.0

log = logging.getLogger(__name__)


class Loop:
    """Runs a job until it is asked to stop, has finished, failed, or nobody listens any more."""

    def __init__(
        self,
        pipe: Connection,
        outbox: Outbox[Notice],
        *,
        job: Job,
        output: StreamOutput,
        log_lines: Callable[[], Iterable[LogRecord]],
    ) -> None:
        self._pipe = pipe
        self._log_lines = log_lines
        self._outbox = outbox
        self._job = job
        self._output = output
        self._running = True
        self._made: deque[Frame] = deque()
        self._usage, self._rx, self._tx, self._bytes = Usage(), Meter(), Meter(), Meter()
        self._memory = 0
        self._next_tick = self._next_report = self._last_client = time.monotonic()

    def stop(self) -> None:
        """End the loop; from a signal handler or its own thread."""
        self._running = False

    def run(self) -> None:
        """Loop to the end. Raises `ProcessingError` where the job failed."""
        self._outbox.put(Ready())
        try:
            # What it has made goes out before it ends by itself: a PUSH waits for its client.
            while self._running and (not self._job.finished or self._output.waiting or self._made):
                self._turn()
            self._drain()
        finally:
            self._report(time.monotonic())
            self._output.close(LINGER)

    def _turn(self) -> None:
        ready = dict(zmq.zmq_poll(*self._interest()))
        if self._pipe.fileno() in ready:
            self._hear()
        now = time.monotonic()
        self._output.drain()
        woken = self._job.woken
        self._offer(self._job.collect() if woken is not None and woken in ready else (), now)
        self._receive(set(ready), now)
        if now >= self._next_tick:
            self._tick(now)
        self._outbox.flush()

    def _interest(self) -> tuple[list[tuple[Any, int]], int]:
        wanted: list[tuple[Any, int]] = [(self._pipe.fileno(), zmq.POLLIN)]
        wait = max(0.0, self._next_tick - time.monotonic())
        output = self._output
        if (woken := self._job.woken) is not None and not self._full:
            wanted.append((woken, zmq.POLLIN))
        if not (self._full or self._job.busy or self._job.finished):
            wanted += [(inlet.source.pollable, zmq.POLLIN) for inlet in self._job.inlets]
        if output.waiting:
            if output.transport.room is None:
                wait = min(wait, 0.001)
            else:
                wanted.append((output.transport.room, zmq.POLLOUT))
        return wanted, int(wait * 1000) + 1

    def _receive(self, ready: set[Any], now: float) -> None:
        """Take what waits at the sources that are ready, one after the other."""
        job = self._job
        end = now + BATCH
        while now < end and not (self._full or job.busy or job.finished):
            inlets = [inlet for inlet in job.inlets if inlet.source.pollable in ready]
            if not inlets:
                return
            for source, take in inlets:
                if (parts := source.receive()) is None:
                    ready.discard(source.pollable)
                else:
                    self._offer(take(parts, now), now)
            now = time.monotonic()

    @property
    def _full(self) -> bool:
        """Whether what is made waits for room in the output, so that no more may be made."""
        return self._output.blocking or bool(self._made)

    def _offer(self, frames: Iterable[Frame], now: float) -> None:
        self._made.extend(frames)
        while self._made and not self._output.blocking:
            self._output.offer(self._made.popleft(), now)

    def _hear(self) -> None:
        try:
            while self._pipe.poll():
                match control.requests.receive(self._pipe):
                    case Stop():
                        self.stop()
                    case Input() as found:
                        self._job.hear(found)
                    case Reconfigure() as request:
                        self._outbox.put(self._configured(request))
        except (EOFError, OSError):  # whoever wants this instance is gone
            self.stop()

    def _configured(self, request: Reconfigure) -> Answer:
        try:
            self._job.configure(request.configuration)
        except Refused as error:
            return Answer(request.request, error.reason, error.subject)
        except FunctionError as error:
            return Answer(request.request, str(error), "function")
        except Exception as error:
            log.exception("a configuration could not be applied")
            return Answer(request.request, f"{type(error).__name__}: {error}")
        return Answer(request.request)

    def _tick(self, now: float) -> None:
        self._next_tick = now + TICK
        self._output.watch()
        self._offer(self._job.tick(now), now)
        if self._output.transport.consumers or self._job.more_clients:
            self._last_client = now
        elif 0 < self._job.no_client_timeout < now - self._last_client:
            log.info("nobody has listened for %g s", self._job.no_client_timeout)
            self.stop()
        if (beam := self._job.beam()) is not None:
            self._outbox.put(Measured(beam))
        for record in self._log_lines():
            self._outbox.put(Logged(record))
        if now >= self._next_report:
            self._next_report = now + REPORT_INTERVAL
            self._report(now)

    def _drain(self) -> None:
        """Send what waits, while somebody takes it."""
        output, now = self._output, time.monotonic()
        end = now + DRAIN_TIME
        self._offer(self._job.rest(), now)
        while (output.waiting or self._made) and output.transport.consumers and time.monotonic() < end:
            output.drain()
            self._offer((), now)
            time.sleep(0.001)
        output.give_up()

    def _report(self, now: float) -> None:
        job, output = self._job, self._output
        sent, received = output.ledger.snapshot(), job.received.ledger
        lost = {**job.received.lost, **job.lost}
        lost |= {reason: lost.get(reason, 0) + number for reason, number in sent.dropped.items()}
        statistics = Statistics(
            clients=output.transport.consumers,
            more_clients=job.more_clients,
            rx_rate=self._rx.rate(received.frames, now),
            rx_count=received.frames,
            tx_rate=self._tx.rate(sent.sent, now),
            tx_count=sent.sent,
            throughput=self._bytes.rate(received.nbytes, now),
            total_bytes=received.nbytes,
            process_id=os.getpid(),
            cpu=self._usage.cpu(now),
            memory=own_memory(),
            header_changes=job.header_changes,
            frame_shape=job.frame_shape,
            pulse_id=sent.last_frame_id,
            denied=output.transport.denied if isinstance(output.transport, Guarded) else 0,
            lost=lost,
            skipped={**job.skipped, **sent.skipped},
        )
        self._outbox.put(Report(statistics, job.problem, job.geometry))


def ending(error: BaseException | None) -> Ending:
    """What is said about the end of an instance."""
    match error:
        case None:
            return Ending()
        case PortTakenError():
            return Ending(str(error), PORT)
        case InvalidValue():
            return Ending(error.reason, error.subject)
        case Refused():
            return Ending(error.reason)
        case ProcessingError() | StorageError():
            return Ending(str(error))
    return Ending(f"{type(error).__name__}: {error}")
