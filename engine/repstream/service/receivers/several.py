"""Several data planes, each a receiver of its own, that answer and report as one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple

import msgspec

from repstream.dataplane import control
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.service.receivers.asked import Asked, Build, Reasons, sentence
from repstream.service.receivers.merging import Reports
from repstream.service.receivers.over_parts import FilesOverParts, Task
from repstream.service.receivers.returning import Returning
from repstream.service.receivers.shared_acquisition import SharedAcquisition
from repstream.service.receivers.shares import share_of
from repstream.service.supervisor import Plane

log = logging.getLogger(__name__)

LOOK_INTERVAL = 0.1


class Lost(NamedTuple):
    """A receiver ended unasked, with its exit reason."""

    receiver: int
    reason: str


class Several:
    """The receivers of one source from start to stop, and beyond until the next start.

    All that comes, from the service (`send`) and from the receivers (`hear`), is done one after the other
    by a thread of its own; what takes a file by another one. The first `receivers` of `planes` live; `launch`
    starts one of them again, as another plane. `tell` takes what the service is to hear, `on_death` the end
    of all receivers. `model`: the configuration of the kind of engine.
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
        self.asked = Asked(lambda receiver, request: planes[receiver].send(request))
        self.live = set(range(receivers))
        self._returning = Returning(self, launch)
        self._configuration = model()
        self._reports = Reports(receivers, 1)
        self.is_open = self._is_killed = self._is_dead = False
        self._closed: dict[int, control.Closed] | None = None
        self._undoing: set[int] = set()  # those that still close what others could not open
        self._undone: Task = _nothing
        self._beats: set[int] = set()
        self._awake: set[int] = set()  # those that have said something; an interpreter takes a while to start
        self._newest: dict[int, SharedAcquisition] = {}
        self._unfinished: dict[str, SharedAcquisition] = {}
        self._files = FilesOverParts(self._inbox.put, self._on_ended)
        self._thread = threading.Thread(target=self._run, name="receivers", daemon=True)
        self._thread.start()

    def send(self, request: control.Request) -> None:
        """A request of the service; its answer comes as a notice."""
        self._inbox.put(request)

    def hear(self, receiver: int, notice: control.Notice) -> None:
        """What a receiver says; from any thread."""
        self._inbox.put((receiver, notice))

    def lost(self, receiver: int, reason: str) -> None:
        """A receiver has ended; from any thread."""
        self._inbox.put(Lost(receiver, reason))

    def kill(self) -> None:
        """All receivers are about to be killed."""
        self._is_killed = True

    def retire(self) -> None:
        """Another start has other receivers."""
        self._inbox.put(None)

    # --- what `Returning` asks for -----------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """See `Others`."""
        return self.is_open and self._closed is not None

    def taking(self) -> list[SharedAcquisition]:
        """See `Others`."""
        return [acquisition for acquisition in self._unfinished.values() if not acquisition.is_ending]

    def share(self, receiver: int) -> str:
        """See `Others`."""
        return storage.dump(share_of(self._configuration, receiver))

    def close(self) -> None:
        """All receivers have ended orderly: make the files over those that they wrote, and end."""
        self._inbox.put(self._finish_all)
        self._inbox.put(None)
        self._thread.join()

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                item = self._inbox.get(timeout=LOOK_INTERVAL)
                if item is None:
                    return
                self._do(item)
            except Empty:
                pass
            except Exception:  # one that is not understood must not end all others
                log.exception("a fault of the engine, among its receivers")
            try:
                self._watch()
            except Exception:
                log.exception("a fault of the engine, among its receivers")
            if self._is_dead and not self._unfinished:
                return

    def _do(self, item: control.Request | tuple[int, control.Notice] | Lost | Task) -> None:
        match item:
            case Lost():
                self._on_lost(item)
            case (int() as receiver, notice):
                self._on_notice(receiver, notice)
            case control.Open():
                self._open(item)
            case control.Close():
                self._closed = {}
                self._ask_all(item, lambda _, number: msgspec.structs.replace(item, request=number))
            case control.Update():
                self._configuration = self._model.model_validate_json(item.configuration)
                self._ask_all(item, lambda k, number: control.Update(number, self.share(k)))
            case control.Arm():
                self._arm(item)
            case control.OpenGate():
                self._open_gate(item)
            case control.ShutGate():
                reason = "several receivers cannot shut a gate and open it again; stop ends the acquisition"
                self._answer(item, reason)
            case control.End():
                self._end(item)
            case msgspec.Struct():
                self._ask_all(item, lambda _, number: msgspec.structs.replace(item, request=number))
            case _:
                item()

    def _watch(self) -> None:
        now = time.monotonic()
        for acquisition in list(self._unfinished.values()):
            acquisition.watch(now)
        if not self._is_killed:
            self._returning.watch(now)
        self._say_closed()

    # --- requests ---------------------------------------------------------------------------

    def _answer(self, request: control.Request, reason: str = "") -> None:
        self._tell(control.Answer(request.request, reason))

    def _ask_all(self, request: control.Request, build: Build) -> None:
        """What a receiver does not do because it has died meanwhile is no reason to refuse."""

        def done(reasons: Reasons) -> None:
            self._answer(request, sentence({k: reasons[k] for k in reasons.keys() & self.live}))

        self.asked.ask(self.live, build, done)

    def _open(self, request: control.Open) -> None:
        self._configuration = self._model.model_validate_json(request.configuration)
        self._reports = Reports(self._receivers, self._configuration.source.id_step)
        self._newest.clear()
        self._closed = None

        def opened(reasons: Reasons) -> None:
            if not reasons:
                self.is_open = True
                self._answer(request)
                return
            self._undoing = self.live - reasons.keys()
            self._undone = partial(self._answer, request, sentence(reasons))
            self.asked.ask(set(self._undoing), lambda _, number: control.Close(number, 0.0))
            self._undo_further()

        self.asked.ask(self.live, lambda k, number: control.Open(number, self.share(k)), opened)

    def _undo_further(self) -> None:
        if not self._undoing:
            undone, self._undone = self._undone, _nothing
            undone()

    def _arm(self, request: control.Arm) -> None:
        acquisition = SharedAcquisition(
            request.slot, request.plan, self._receivers, self._configuration.source.id_step, self
        )
        acquisition.wanted = request.frames
        self._unfinished[acquisition.id] = acquisition

        def armed(reasons: Reasons) -> None:
            if reasons:
                self._files.given_up.add(acquisition.id)
                for part in acquisition.parts:
                    part.is_lost = part.is_lost or part.receiver in reasons
                self.asked.ask(
                    self.live - reasons.keys(),
                    lambda _, number: control.End(number, request.slot, True, acquisition.id),
                )
                acquisition.advance()
            else:
                self._newest[request.slot] = acquisition
                if request.frames is not None:
                    acquisition.open(request.frames)
            self._answer(request, sentence(reasons))

        self._files.begin(acquisition)
        plans = {receiver: acquisition.part_for(receiver) for receiver in sorted(self.live)}
        self.asked.ask(
            self.live,
            lambda k, number: control.Arm(number, request.slot, plans[k], request.frames),
            armed,
        )

    def _open_gate(self, request: control.OpenGate) -> None:
        acquisition = self._newest.get(request.slot)
        if acquisition is None or acquisition.id not in self._unfinished:
            self._answer(request, "no acquisition is armed")
        elif acquisition.was_open:
            self._answer(request, "several receivers open the gate once an acquisition; stop it first")
        else:

            def opened(reasons: Reasons) -> None:
                if reasons:
                    acquisition.wanted = None
                else:
                    acquisition.open(request.frames)
                self._answer(request, sentence(reasons))

            acquisition.wanted = request.frames
            self.asked.ask(
                self.live, lambda _, number: msgspec.structs.replace(request, request=number), opened
            )

    def _end(self, request: control.End) -> None:
        newest = self._newest.get(request.slot)
        acquisition = self._unfinished.get(request.acquisition_id or (newest.id if newest else ""))
        if acquisition is not None:
            acquisition.is_ending = True
        self._ask_all(request, lambda _, number: msgspec.structs.replace(request, request=number))

    # --- what receivers say -----------------------------------------------------------------

    def _on_notice(self, receiver: int, notice: control.Notice) -> None:
        now = time.monotonic()
        self._awake.add(receiver)
        self._returning.heard(receiver)
        match notice:
            case control.Answer():
                self.asked.on_answer(receiver, notice)
            case control.Report():
                self._on_report(receiver, notice, now)
            case control.Beat():
                self._beats.add(receiver)
                if self._beats >= self.live & self._awake:
                    self._beats.clear()
                    self._tell(control.Beat())
            case control.AcquisitionNotice() | control.GateNotice() | control.FirstNotice():
                if (acquisition := self._unfinished.get(notice.acquisition_id)) is not None:
                    acquisition.hear(receiver, notice, now)
            case control.Closed():
                self._on_closed(receiver, notice)
            case control.Note():
                text = f"receiver {receiver + 1}: {notice.message}"
                self._tell(msgspec.structs.replace(notice, message=text))

    def _on_report(self, receiver: int, report: control.Report, now: float) -> None:
        self._reports.take(receiver, report)
        for writer in (*report.behind.values(), *report.writers.values()):
            if (acquisition := self._unfinished.get(writer.acquisition_id)) is not None:
                acquisition.on_report(receiver, writer, now)
        if self.is_open and self._reports.are_due(self.live - self._returning.opening):
            self._tell(self._said())

    def _said(self, *, final: bool = False) -> control.Report:
        """All reports as one."""
        report = self._reports.said(final=final)
        receivers = tuple(
            control.ReceiverReport(
                self._planes[receiver].process_id or 0 if receiver in self.live else 0,
                self._reports.frames_of(receiver),
            )
            for receiver in range(self._receivers)
        )
        source = msgspec.structs.replace(report.source, receivers=receivers)
        writers = {slot: acquisition.report() for slot, acquisition in self._newest.items()}
        for slot, before in self._reports.before_acquisitions().items():
            writers.setdefault(slot, before)
        newest = {acquisition.id for acquisition in self._newest.values()}
        behind = {
            acquisition.slot: acquisition.report()
            for acquisition in self._unfinished.values()
            if acquisition.id not in newest | self._files.given_up
        }
        return msgspec.structs.replace(report, source=source, writers=writers, behind=behind)

    def _on_closed(self, receiver: int, notice: control.Closed) -> None:
        if receiver in self._undoing:
            self._undoing.discard(receiver)
            self._undo_further()
        elif self._closed is not None:
            self._reports.take(receiver, notice.report)
            self._closed[receiver] = notice

    def _say_closed(self) -> None:
        """All is closed when every receiver has said so, and the files over those of receivers are made."""
        closed = self._closed
        if closed is None or not self.is_open or self._unfinished or not closed.keys() >= self.live:
            return
        self.is_open, self._closed = False, None
        undelivered = sum(notice.undelivered for notice in closed.values())
        self._tell(control.Closed(self._said(final=True), undelivered))

    def _on_lost(self, lost: Lost) -> None:
        receiver, reason = lost
        self.live.discard(receiver)
        self._beats.discard(receiver)
        self._awake.discard(receiver)
        self.asked.on_death(receiver, reason)
        if receiver in self._undoing:
            self._undoing.discard(receiver)
            self._undo_further()
        self._is_dead = not self.live
        self._reports.lose(receiver)
        if self.is_open and self._reports.are_known:
            # Nobody is to take the input for connected because of a report from before.
            self._tell(self._said())
        fail = self._configuration.source.receiver_loss == "fail"
        for acquisition in list(self._unfinished.values()):
            acquisition.lose(receiver, reason, fail=fail)
        if self._is_dead:
            self._on_death(reason)
        else:
            self._returning.died(receiver, reason)

    # --- what acquisitions have done ----------------------------------------------------------

    def ask(self, receiver: int, build: Callable[[int], control.Request]) -> None:
        """See `Doors`."""
        if receiver in self.live:
            self.asked.ask([receiver], lambda _, number: build(number))

    def tell(self, notice: control.Notice) -> None:
        """See `Doors`."""
        refused = (
            isinstance(notice, control.AcquisitionNotice) and notice.acquisition_id in self._files.given_up
        )
        if not (refused or self._is_dead):
            self._tell(notice)

    def show(self, acquisition: SharedAcquisition) -> None:
        """See `Doors`."""
        self._files.finish(acquisition)

    def _on_ended(self, acquisition: SharedAcquisition) -> None:
        del self._unfinished[acquisition.id]

    def _finish_all(self) -> None:
        """Nobody says any more how acquisitions ended: their files do."""
        for acquisition in list(self._unfinished.values()):
            if acquisition.cut():
                self._files.finished(acquisition)()


def _nothing() -> None:
    """Where nothing is to be done."""
