"""The loop of the data plane: one thread that receives, decides, sends, and answers the service."""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import zmq
from pydantic import ValidationError

from repstream.dataplane import control
from repstream.dataplane.last_frames import LastFrames
from repstream.dataplane.line import Line
from repstream.dataplane.loss import MalformedLog
from repstream.dataplane.pinning import pin
from repstream.dataplane.repeater import Repeater
from repstream.dataplane.story import Story
from repstream.dataplane.writing.writer import WriterOutput
from repstream.errors import Refused
from repstream.parameters.configuration import Configuration

REPORT_INTERVAL = 0.1
RETRY_INTERVAL = 0.001
"""How often a transport is tried again that does not say when it has room (a PUB socket)."""

LAST_PATIENCE = 2.0
"""Seconds for the streams to drain when the service is gone."""

log = logging.getLogger(__name__)


class _Closing:
    """How far a stop has got: receiving what is there, draining, then ending the sockets."""

    def __init__(self, patience: float, messages: int, disk_patience: float) -> None:
        self.deadline = time.monotonic() + patience
        self.messages = messages
        self.disk_patience = disk_patience
        self.ending: threading.Thread | None = None
        self.undelivered = 0

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


class Router:
    """Does what the service at the other end of `line` asks, until that hangs up or `end` is called.

    Where another service may take the line up, it goes on meanwhile if anything is open.

    `on_end` is called once when that happens, before everything is drained and closed. `model` is the
    configuration of the kind of engine.
    """

    def __init__(
        self,
        line: Line,
        on_end: Callable[[], None] = lambda: None,
        model: type[Configuration] = Configuration,
    ) -> None:
        self._line = line
        self._model = model
        self._on_end = on_end
        self._story = Story()
        self._repeater: Repeater | None = None
        self._closing: _Closing | None = None
        self._expected = 0  # bytes of the largest frame so far, for the next start
        self._cpus = ""  # as `source.receiver_cpus`
        self._malformed = MalformedLog()
        self._last_frames = LastFrames()
        self._next_report = 0.0
        self._serving = True
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._calls = select.poll()
        for descriptor in (self._woken, line.descriptor):
            self._calls.register(descriptor, select.POLLIN)

    def run(self) -> None:
        """Loop until the service is gone and everything is closed."""
        try:
            while self._serving or self._repeater is not None:
                self._turn()
        finally:
            self._last_frames.close()
            os.close(self._woken)
            waker, self._waker = self._waker, -1
            os.close(waker)

    def end(self) -> None:
        """Close everything orderly and leave the loop; may be called from a signal handler."""
        if self._serving:
            self._serving = False
            self._wake()
            self._on_end()

    def _turn(self) -> None:
        ready = dict(zmq.zmq_poll(*self._interest()))
        if self._woken in ready:
            os.read(self._woken, 4096)
        if self._line.descriptor in ready:
            self._listen()
        if self._last_frames.socket in ready:
            self._last_frames.answer()
        repeater = self._repeater
        if repeater is not None:
            repeater.poll()
            for stream in repeater.waiting:
                stream.drain()
            received = 0
            if self._closing is not None or (repeater.source and repeater.source.pollable in ready):
                end = self._next_report if self._closing is None else 0.0
                received = repeater.receive(end, self._called)
            self._report(repeater)
            self._close_further(repeater, received)
        else:
            self._beat()
        self._line.outbox.flush()

    def _interest(self) -> tuple[list[tuple[Any, int]], int]:
        """What to wait for, and at most how long (ms)."""
        wanted: list[tuple[Any, int]] = [(self._woken, zmq.POLLIN)]
        if self._serving:
            wanted.append((self._line.descriptor, zmq.POLLIN))
        if self._last_frames.socket is not None:
            wanted.append((self._last_frames.socket, zmq.POLLIN))
        repeater = self._repeater
        if repeater is None:
            return wanted, round(REPORT_INTERVAL * 1000)
        wait = min(max(0.0, self._next_report - time.monotonic()), repeater.due)
        if repeater.source is not None and not repeater.blocking:
            wanted.append((repeater.source.pollable, zmq.POLLIN))
        for stream in repeater.waiting:
            if stream.working:
                continue  # it calls when it is ready
            if (room := stream.transport.room) is not None:
                wanted.append((room, zmq.POLLOUT))
            else:
                wait = min(wait, RETRY_INTERVAL)
        if self._closing is not None:
            wait = min(wait, 0.01)
        return wanted, math.ceil(wait * 1000)

    def _report_is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next_report:
            return False
        self._next_report = max(self._next_report + REPORT_INTERVAL, now)
        return True

    def _beat(self) -> None:
        if self._report_is_due() and not self._line.outbox.waiting:
            self._tell(control.Beat())

    def _report(self, repeater: Repeater) -> None:
        if not self._report_is_due():
            return
        repeater.watch()
        # A service that is behind gets its notices first and a fresh report afterwards.
        if not self._line.outbox.waiting:
            report = repeater.report()
            self._tell(report)
            for note in self._malformed.notes(report, repeater.last_malformed):
                self._tell(note)

    def _tell(self, notice: control.Notice) -> None:
        if isinstance(notice, control.AcquisitionNotice):
            self._story.heard(notice)
        self._line.outbox.put(notice)

    def _listen(self) -> None:
        """Do what the service asks; or let in the one that takes its place."""
        before = self._line.descriptor
        if not self._line.is_lost:
            self._serve()
        elif self._line.take_up():
            log.info("another service has taken this data plane over")
        if self._line.descriptor != before:
            self._calls.unregister(before)
            self._calls.register(self._line.descriptor, select.POLLIN)

    def _serve(self) -> None:
        pipe = self._line.pipe
        try:
            while pipe.poll():
                self._line.outbox.answer(partial(self._answer, control.requests.receive(pipe)))
        except (EOFError, OSError):
            if self._serving and self._repeater is not None and self._line.lose():
                return
            if self._serving:
                log.warning(
                    "the service is gone: it died; what is open is finished, then this data plane ends"
                )
            self.end()

    def _answer(self, request: control.Request) -> control.Answer:
        return control.Answer(request.request, self._do(request))

    def _do(self, request: control.Request) -> str:
        """Do what is asked; the reason if it cannot be done."""
        match request:
            case control.Open():
                return self._open(request)
            case control.Close():
                return self._close(request.patience, request.disk_patience)
            case control.Update():
                return self._update(request.configuration)
            case control.Adopt():
                return self._adopt(request)
            case control.Bye():
                self.end()
                return ""
            case _:
                return self._do_writer(request)

    def _do_writer(
        self,
        request: control.Arm
        | control.OpenGate
        | control.Settle
        | control.ShutGate
        | control.End
        | control.Flush,
    ) -> str:
        writer = self._writer(request.slot)
        if isinstance(writer, str):
            return writer
        match request:
            case control.Arm():
                if self._closing is not None:
                    return "the repeater is being stopped"
                if reason := writer.arm(request.plan):
                    return reason
                self._story.begun(request)
                if request.frames is None:
                    return ""
                return writer.open_gate(request.frames)
            case control.OpenGate():
                return writer.open_gate(request.frames)
            case control.Settle():
                return writer.settle(request.acquisition_id, request.first_id)
            case control.ShutGate():
                return writer.shut_gate()
            case control.End():
                return writer.end(request.discard, request.acquisition_id, request.complete)
            case control.Flush():
                return writer.flush()

    def _adopt(self, request: control.Adopt) -> str:
        repeater = self._repeater
        if repeater is None:
            return "has nothing open"
        if request.start != self._line.start:
            return f"belongs to another start, {self._line.start}"
        if reason := repeater.misfit(_configuration(request.configuration, self._model)):
            return reason
        gates = tuple(slot for slot, writer in repeater.writers.items() if writer.report().gate_open)
        told = dict(self._story.acquisitions)
        self._tell(control.Adopted(self._closing is not None, told, gates))
        return ""

    def _writer(self, slot: int) -> WriterOutput | str:
        if self._repeater is None:
            return "the repeater is not running"
        writer = self._repeater.writers.get(slot)
        return f"there is no enabled writer in slot {slot}" if writer is None else writer

    def _open(self, request: control.Open) -> str:
        if self._repeater is not None:
            return "the last stop still drains" if self._closing is not None else "the repeater runs already"
        try:
            configuration = _configuration(request.configuration, self._model)
            if configuration.source.receiver_cpus != self._cpus:
                pin(configuration.source.receiver_cpus)
                self._cpus = configuration.source.receiver_cpus
            self._last_frames.clear()
            repeater = Repeater(
                configuration,
                self._tell,
                self._wake,
                self._expected,
                self._last_frames,
                lane=request.lane,
                merge=request.merge,
                turn=request.turn,
            )
        except Refused as error:
            return str(error)
        self._repeater = repeater
        self._malformed = MalformedLog()
        self._next_report = time.monotonic()
        for arm in request.arms:
            if reason := self._do_writer(arm):
                self._close(0.0)
                return reason
        return ""

    def _update(self, text: str) -> str:
        try:
            if self._repeater is not None:
                self._repeater.update(_configuration(text, self._model))
        except Refused as error:
            return str(error)
        return ""

    def _close(self, patience: float, disk_patience: float = 0.0) -> str:
        if self._repeater is None:
            return "the repeater is not running"
        if self._closing is None:
            self._closing = _Closing(patience, self._repeater.end_source(), disk_patience)
        return ""

    def _close_further(self, repeater: Repeater, received: int) -> None:
        """Go on with a stop: what had reached the input, then what waits, then the sockets."""
        if self._line.is_given_up:
            self.end()
        if self._closing is None:
            if self._serving:
                return
            self._close(LAST_PATIENCE)
        closing = self._closing
        assert closing is not None
        if repeater.source is not None:
            closing.messages -= received
            done = closing.messages <= 0 or not (received or repeater.blocking)
            if done or not closing.left:
                repeater.close_source()
        elif closing.ending is None:
            if closing.disk_patience:
                repeater.give_up_files(closing.disk_patience)
            if not repeater.acquiring and not (repeater.waiting and closing.left):
                closing.ending, closing.undelivered = repeater.close_streams(closing.left)
        elif not closing.ending.is_alive():
            self._closed(repeater, closing.undelivered)

    def _closed(self, repeater: Repeater, undelivered: int) -> None:
        report = repeater.report()
        for note in self._malformed.notes(report, repeater.last_malformed, final=True):
            self._tell(note)
        self._tell(control.Closed(report, undelivered))
        self._expected = repeater.largest
        self._repeater = self._closing = None
        self._story = Story()
        if self._line.is_lost:
            self.end()

    def _called(self) -> bool:
        """Whether the service or a writer's thread wants something."""
        return bool(self._calls.poll(0))

    def _wake(self) -> None:
        """Have the loop take a turn; called from the writers' threads."""
        try:
            os.write(self._waker, b"\0")
        except OSError:
            log.debug("the loop is awake already, or over")


def _configuration(text: str, model: type[Configuration]) -> Configuration:
    """A configuration in which everything has its slot; raises `Refused`."""
    try:
        configuration = model.model_validate_json(text)
    except ValidationError as error:
        raise Refused("configuration", str(error)) from error
    keys = {f"streams.{name}" for name in configuration.streams}
    keys |= {f"writers.{name}" for name in configuration.writers}
    if without := keys - configuration.slots.keys():
        raise Refused("configuration", f"there is no slot for {', '.join(sorted(without))}")
    return configuration
