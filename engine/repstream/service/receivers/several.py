"""Several data planes, each a receiver of its own, that answer and report as one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import NamedTuple

import msgspec

from repstream.dataplane import control
from repstream.parameters.configuration import Configuration
from repstream.service.receivers.asked import Asked, Build, Reasons, sentence
from repstream.service.receivers.hearing import MUTE_TIME, Hearing
from repstream.service.receivers.mergers import Mergers
from repstream.service.receivers.merging import Reports
from repstream.service.receivers.over_parts import Task
from repstream.service.receivers.returning import Returning
from repstream.service.receivers.shared_acquisition import SharedAcquisition
from repstream.service.receivers.shared_writers import SharedWriters
from repstream.service.supervisor import Plane

log = logging.getLogger(__name__)

LOOK_INTERVAL = 0.1


class Lost(NamedTuple):
    """A plane ended unasked, with its exit reason."""

    plane: int
    reason: str


@dataclass
class _Closing:
    """How far a stop is: those that are closed, and whether they that merge have been asked to close."""

    deadline: float
    closed: dict[int, control.Closed] = field(default_factory=dict)
    is_last: bool = False


class Several:
    """The receivers of one source from start to stop, and beyond until the next start.

    All that comes, from the service (`send`) and from the planes (`hear`), is done one after the other by
    a thread of its own; what takes a file by another one. The first `receivers` of `planes` receive, as
    many behind them as there are such streams merge one each (`Mergers`). `launch` starts one of
    them again, as another plane. `tell` takes what the service is to hear, `on_death` the end of all
    receivers. `model`: the configuration of the kind of engine.
    """

    def __init__(
        self,
        model: type[Configuration],
        planes: Sequence[Plane],
        receivers: int,
        *,
        launch: Callable[[int], None],
        tell: Callable[[control.Notice], None],
        on_death: Callable[[str], None],
    ) -> None:
        self._model = model
        self._planes, self._receivers = planes, receivers
        self._tell = tell
        self._on_death = on_death
        self._inbox: SimpleQueue[control.Request | tuple[int, control.Notice] | Lost | Task | None]
        self._inbox = SimpleQueue()
        self.asked = Asked(lambda plane, request: planes[plane].send(request))
        self.live = set(range(receivers))
        self._returning = Returning(self, launch)
        self._writers = SharedWriters(
            self.asked, lambda: self._receiving, self.called, post=self._inbox.put, tell=tell
        )
        self._configuration = model()
        self._mergers = Mergers(self._configuration)
        self._reports = Reports(receivers, 1)
        self.is_open = self._is_killed = self._is_dead = False
        self._closing: _Closing | None = None
        self._undoing: set[int] = set()  # those that still close what others could not open
        self._undone: Task = _nothing
        self._hearing = Hearing()
        self._mute: set[int] = set()  # those of which that has been said
        self._beats: set[int] = set()
        self._awake: set[int] = set()  # those that have said something; an interpreter takes a while to start
        self._thread = threading.Thread(target=self._run, name="receivers", daemon=True)
        self._thread.start()

    def send(self, request: control.Request) -> None:
        """A request of the service; its answer comes as a notice."""
        self._inbox.put(request)

    def hear(self, plane: int, notice: control.Notice) -> None:
        """What a plane says; from any thread."""
        self._inbox.put((plane, notice))

    def lost(self, plane: int, reason: str) -> None:
        """A plane has ended; from any thread."""
        self._inbox.put(Lost(plane, reason))

    def kill(self) -> None:
        """All planes are about to be killed."""
        self._is_killed = True

    def retire(self) -> None:
        """Another start has other receivers."""
        self._inbox.put(None)

    def close(self) -> None:
        """All planes have ended orderly: make the files over those that they wrote, and end."""
        self._inbox.put(self._writers.finish_all)
        self._inbox.put(None)
        self._thread.join()

    # --- what `Returning` asks for -----------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """See `Others`."""
        return self._closing is not None

    def taking(self, plane: int) -> list[SharedAcquisition]:
        """See `Others`."""
        return [] if plane in self._mergers.names else self._writers.taking()

    def opening(self, plane: int, number: int, arms: tuple[control.Arm, ...] = ()) -> control.Open:
        """See `Others`."""
        return self._mergers.opening(plane, number, arms)

    def begins(self, plane: int) -> None:
        """See `Others`."""
        if plane not in self._mergers.names:
            self._reports.begin(plane)

    def stays_away(self, plane: int) -> None:
        """See `Others`."""
        if plane not in self._mergers.names:
            self._reports.lose(plane)

    def called(self, plane: int) -> str:
        """See `Others`."""
        name = self._mergers.names.get(plane)
        return f"receiver {plane + 1}" if name is None else f"the process that merges stream {name}"

    def tell(self, notice: control.Notice) -> None:
        """See `Others`."""
        self._tell(notice)

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._is_dead and not self._writers.are_busy):
            try:
                item = self._inbox.get(timeout=LOOK_INTERVAL)
                if item is None:
                    break
                self._do(item)
            except Empty:
                pass
            except Exception:  # one that is not understood must not end all others
                log.exception("a fault of the engine, among its receivers")
            try:
                self._watch()
            except Exception:
                log.exception("a fault of the engine, among its receivers")
        self._mergers.close()

    def _do(self, item: control.Request | tuple[int, control.Notice] | Lost | Task) -> None:
        match item:
            case Lost():
                self._on_lost(item.plane, item.reason)
            case (int() as plane, notice):
                self._on_notice(plane, notice)
            case control.Open():
                self._open(item)
            case control.Close():
                self._close(item)
            case control.Update():
                self._configuration = self._model.model_validate_json(item.configuration)
                self._mergers.update(self._configuration)
                self._ask(self.live, item, lambda k, number: control.Update(number, self._mergers.share(k)))
            case control.Arm():
                self._writers.arm(item, self._receivers, self._configuration.source.id_step)
            case control.OpenGate():
                self._writers.open_gate(item)
            case control.ShutGate():
                reason = "several receivers cannot shut a gate and open it again; stop ends the acquisition"
                self._writers.refuse(item, reason)
            case msgspec.Struct():
                if isinstance(item, control.End):
                    self._writers.note_end(item)
                self._ask(self._receiving, item)
            case _:
                item()

    def _watch(self) -> None:
        now = time.monotonic()
        self._writers.watch(now)
        if not self._is_killed:
            self._returning.watch(now)
            if self._hearing.look(now):
                self._watch_silence()
        self._close_further(now)

    def _watch_silence(self) -> None:
        """Say who does not answer, and do without one for which others have waited too long."""
        patience = self._configuration.engine.stall_patience
        lagging = self._hearing.lagging(self.live)
        for plane in sorted(self.live - self._mute):
            if self._hearing.silence(plane) >= MUTE_TIME:
                self._mute.add(plane)
                self._note_error(f"{self.called(plane)} does not answer")
        for plane in self._mute:
            if patience and self._hearing.silence(plane) >= patience and self._receiving - lagging:
                self._planes[plane].kill()

    def _note_error(self, message: str) -> None:
        self._tell(control.Note(logging.ERROR, message))

    @property
    def _receiving(self) -> set[int]:
        """The receivers that live."""
        return {plane for plane in self.live if plane < self._receivers}

    # --- requests ---------------------------------------------------------------------------

    def _ask(self, planes: Collection[int], request: control.Request, build: Build | None = None) -> None:
        """Ask each of these the same, or what `build` makes of it.

        What one does not do because it has died meanwhile is no reason to refuse.
        """

        def done(reasons: Reasons) -> None:
            alive = {k: reasons[k] for k in reasons.keys() & self.live}
            self._tell(control.Answer(request.request, sentence(alive, self.called)))

        def same(_: int, number: int) -> control.Request:
            return msgspec.structs.replace(request, request=number)

        self.asked.ask(planes, build or same, done)

    def _open(self, request: control.Open) -> None:
        self._configuration = self._model.model_validate_json(request.configuration)
        self._reports = Reports(self._receivers, self._configuration.source.id_step)
        self._mergers.close()
        self._mergers = Mergers(self._configuration)
        self.live |= self._mergers.names.keys()

        def opened(reasons: Reasons) -> None:
            if not reasons:
                self.is_open = True
                self._tell(control.Answer(request.request))
                return
            reason = sentence(reasons, self.called)
            self._undoing = self.live - reasons.keys()
            self._undone = lambda: self._tell(control.Answer(request.request, reason))
            self.asked.ask(set(self._undoing), lambda _, number: control.Close(number, 0.0))
            self._undo_further()

        self.asked.ask(self.live, self.opening, opened)

    def _undo_further(self) -> None:
        if not self._undoing:
            undone, self._undone = self._undone, _nothing
            undone()

    def _close(self, request: control.Close) -> None:
        if self.is_open and self._closing is None:
            self._closing = _Closing(time.monotonic() + request.patience)
        self._ask(self._receiving, request)

    def _close_further(self, now: float) -> None:
        """Those that merge are closed when all that receivers sent is there; then everything is."""
        closing = self._closing
        if closing is None or self._writers.are_busy or not closing.closed.keys() >= self._receiving:
            return
        merging = self.live - self._receiving
        if not closing.is_last and (self._mergers.are_through(merging) or now >= closing.deadline):
            closing.is_last = True
            patience = max(0.0, closing.deadline - now)
            self.asked.ask(merging, lambda _, number: control.Close(number, patience))
        if closing.is_last and closing.closed.keys() >= merging:
            self.is_open, self._closing = False, None
            undelivered = sum(notice.undelivered for notice in closing.closed.values())
            self._tell(control.Closed(self._said(final=True), undelivered))

    # --- what planes say --------------------------------------------------------------------

    def _on_notice(self, plane: int, notice: control.Notice) -> None:
        now = time.monotonic()
        self._awake.add(plane)
        self._hearing.heard(plane)
        self._mute.discard(plane)
        self._returning.heard(plane)
        match notice:
            case control.Answer():
                self.asked.on_answer(plane, notice)
            case control.Report():
                self._on_report(plane, notice, now)
            case control.Beat():
                self._beats.add(plane)
                if self._beats >= self._expected & self._awake:
                    self._beats.clear()
                    self._tell(control.Beat())
            case control.AcquisitionNotice() | control.GateNotice() | control.FirstNotice():
                self._writers.hear(plane, notice, now)
            case control.Closed():
                self._on_closed(plane, notice, now)
            case control.Note():
                text = f"{self.called(plane)}: {notice.message}"
                self._tell(msgspec.structs.replace(notice, message=text))

    def _on_report(self, plane: int, report: control.Report, now: float) -> None:
        closing = self._closing
        if plane in self._mergers.names:
            self._mergers.take(plane, report)
            if closing is not None and closing.closed.keys() >= self._receiving:
                self._tell(self._said())
            return
        self._note(plane, report, now)
        if self.is_open and self._reports.are_due(self._expected & self._receiving):
            self._tell(self._said())

    @property
    def _expected(self) -> set[int]:
        """Those that are heard from ten times a second."""
        return self.live - self._returning.opening - self._hearing.lagging(self.live)

    def _note(self, receiver: int, report: control.Report, now: float) -> None:
        self._reports.take(receiver, report)
        self._mergers.note(receiver, report)
        self._writers.note(receiver, report, now)

    def _said(self, *, final: bool = False) -> control.Report:
        """All reports as one."""
        report = self._reports.said(final=final)
        receivers = tuple(
            control.ReceiverReport(
                self._planes[receiver].process_id or 0 if receiver in self.live else 0,
                self._reports.frames_of(receiver),
                receiver in self._mute,
            )
            for receiver in range(self._receivers)
        )
        source = msgspec.structs.replace(report.source, receivers=receivers)
        report = self._writers.enter(report, self._reports.before_acquisitions())
        return self._mergers.enter(msgspec.structs.replace(report, source=source), final=final)

    def _on_closed(self, plane: int, notice: control.Closed, now: float) -> None:
        if plane in self._undoing:
            self._undoing.discard(plane)
            self._undo_further()
        elif self._closing is not None:
            if plane in self._mergers.names:
                self._mergers.take(plane, notice.report)
            else:
                self._note(plane, notice.report, now)
            self._closing.closed[plane] = notice

    def _on_lost(self, plane: int, reason: str) -> None:
        if plane >= self._receivers and plane not in self._mergers.names:
            return  # of an earlier start
        self.live.discard(plane)
        if plane in self._mute:
            reason = f"it had not answered for {self._hearing.silence(plane):.0f} s"
        self._mute.discard(plane)
        self._hearing.gone(plane)
        self._beats.discard(plane)
        self._awake.discard(plane)
        self.asked.on_death(plane, reason)
        if plane in self._undoing:
            self._undoing.discard(plane)
            self._undo_further()
        self._mergers.lose(plane, time.monotonic())
        if plane not in self._mergers.names:
            self._lose_receiver(plane, reason)
        if self._is_dead:
            self._on_death(reason)
        else:
            self._returning.died(plane, reason)

    def _lose_receiver(self, receiver: int, reason: str) -> None:
        self._is_dead = not self._receiving
        self._reports.lose(receiver)
        if self.is_open and self._reports.are_known:
            # Nobody is to take the input for connected because of a report from before.
            self._tell(self._said())
        fail = self._configuration.source.receiver_loss == "fail"
        self._writers.lose(receiver, reason, fail=fail, is_last=self._is_dead)


def _nothing() -> None:
    """Where nothing is to be done."""
