"""One writer: its acquisitions from arm to close, and what the data plane tells of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from repstream.dataplane import control
from repstream.errors import Refused
from repstream.link.handles import PendingHandle
from repstream.parameters import slots
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.file_names import has_number
from repstream.parameters.status import NEWEST, PREVIOUS
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service import acquisitions
from repstream.service.core import Core
from repstream.service.handles import AcquisitionHandles
from repstream.service.repeater import Repeater
from repstream.service.waiting import still_written
from repstream.service.writer_board import WriterBoard
from repstream.states import (
    ACQUISITION,
    ENDED,
    OVER,
    WRITER,
    AcquisitionResult,
    AcquisitionState,
    RepeaterState,
    WriterState,
    after,
)

_EVENT = {
    AcquisitionState.WAITING_IMAGES: "waiting",
    AcquisitionState.ACQUIRING_IMAGES: "first_image",
    AcquisitionState.FLUSHING_IMAGES: "flushing",
    AcquisitionState.FINISHED: "finished",
    AcquisitionState.FAILED: "failed",
}


class Writer:
    """Commands and events of the writer in one slot; whoever calls holds the core's lock.

    The newest acquisition and the one before it, which may still be flushed, are on the board.
    """

    def __init__(
        self, core: Core, repeater: Repeater, slot: int, preparation: acquisitions.Preparation
    ) -> None:
        self._core = core
        self._repeater = repeater
        self._slot = slot
        self._preparation = preparation
        self._board = WriterBoard(core, slot)
        self._handles = {NEWEST: AcquisitionHandles(), PREVIOUS: AcquisitionHandles()}
        self._next: Callable[[], None] | None = None  # begins the acquisition of the next series
        self._not_followed = ""

    @property
    def name(self) -> str | None:
        return slots.name_at(self._core.configuration, Group.WRITER, self._slot)

    @property
    def state(self) -> WriterState:
        return self._board.state

    @property
    def may_begin(self) -> bool:
        """Whether the next acquisition may be set up: none takes frames, if one is flushed or not."""
        if self.name is None or self._value("state") is None:
            return True
        if self.state is WriterState.WRITING:
            return self._board.acquisition(NEWEST) in OVER
        return self.state is WriterState.READY

    def arm(self, handle: PendingHandle, requester: Requester) -> None:
        """Check everything, have the file made; `handle` ends when it waits for images."""
        subject = self._subject("arm")
        after(WRITER, self.state, "arm", subject)
        if not self.may_begin:
            raise Refused(
                subject,
                f"the acquisition for {self._value('full_file_name')} goes on; stop it first",
                (WriterState.READY.value,),
            )
        self._check_previous(subject)
        self._follow_with(requester, None)
        self._arm("arm", requester, None)
        self._handles[NEWEST].file.append(handle)

    def start(self, handle: PendingHandle, requester: Requester, frames: int) -> None:
        """Open the gate, arming first if needed; `handle` ends when it has shut or the file is closed."""
        subject = self._subject("start")
        after(WRITER, self.state, "start", subject)
        if self.may_begin:
            self._check_previous(subject)
            self._follow_with(requester, frames)
            self._arm("start", requester, frames)
        elif self._value("gate") == "open":
            raise Refused(
                subject, f"already taking images for {self._value('full_file_name')}; stop it first"
            )
        else:
            self._core.ask(subject, lambda number: control.OpenGate(number, self._slot, frames))
        if not self.configuration.follow_series:
            self._put({"gate": "open"})
        handles = self._handles[NEWEST]
        (handles.gate if frames else handles.closing).append(handle)

    def end(self, handle: PendingHandle, discard: bool) -> None:
        """Stop or abort; `handle` ends when the file is closed, at once where nothing is open.

        It is the newest acquisition that ends; the one before only where that is closed.
        """
        command = "abort" if discard else "stop"
        subject = self._subject(command)
        following = after(WRITER, self.state, command, subject)
        self._next = None
        if self.state is WriterState.UNKNOWN:
            self._repeater.initialize()
            self._put({"state": following.value})
        if self.state is WriterState.READY:
            self._core.end([handle], True, "nothing to do")
            return
        which = NEWEST if self._board.is_under_way(NEWEST) else PREVIOUS
        ending = str(self._value(f"{which}acquisition_id"))
        self._core.ask(subject, lambda number: control.End(number, self._slot, discard, ending))
        self._handles[which].closing.append(handle)

    def flush(self) -> None:
        """Put what was written so far on the disk."""
        subject = self._subject("flush")
        after(WRITER, self.state, "flush", subject)
        self._core.ask(subject, lambda number: control.Flush(number, self._slot))

    def on_notice(self, notice: control.AcquisitionNotice) -> None:
        """Follow an acquisition. Order at an end: counters, message, result, state, completion."""
        which = self._board.which(notice.acquisition_id)
        if which is None:
            return
        subject = self._subject("acquisition")
        state = after(ACQUISITION, self._board.acquisition(which), _EVENT[notice.state], subject)
        self._core.put(self.told(notice.report, notice.time))
        self.on_report()
        message = notice.message
        if state in ENDED:
            if which == NEWEST:
                message += self._not_followed
            self._board.put_of(which, {"full_file_name": notice.path})
            self._board.put_end(which, notice.result, message, notice.time)
        if which == NEWEST and state in OVER:
            self._put({"gate": "shut"})
        self._board.put_of(which, {"acq_state": state.value})
        self._put_wait()
        if state is AcquisitionState.WAITING_IMAGES:
            self._core.end(self._handles[which].file, True, f"{notice.path} waits for images")
        if state in ENDED:
            self._preparation.release(notice.acquisition_id)
            self._close(which, state is AcquisitionState.FINISHED, message)
        if notice.follow:
            self._follow()

    def on_gate(self, notice: control.GateNotice) -> None:
        """The gate has shut after its number of frames, or trigger or series have opened it."""
        if self._board.which(notice.acquisition_id) != NEWEST:
            return
        if notice.is_open:
            self._put({"gate": "open"})
        else:
            self._put({"gate": "shut"})
            self._core.end(self._handles[NEWEST].gate, True, "the gate has shut, the file is open")

    def told(self, report: control.WriterReport, now: float) -> dict[str, Value]:
        """The counters in a report, by key; `on_report` is due when they are published."""
        return self._board.told(report, now)

    def on_report(self) -> None:
        """Follow the counters."""
        if self._board.acquisition(NEWEST) is AcquisitionState.FLUSHING_IMAGES:
            self._put_wait()

    def on_lost(self, reason: str) -> None:
        """The data plane died: UNKNOWN, and what was under way has failed."""
        if self.name is None:
            return
        message = f"the data plane died: {reason}"
        failed = [which for which in (PREVIOUS, NEWEST) if self._board.is_under_way(which)]
        for which in failed:
            self._preparation.release(str(self._value(f"{which}acquisition_id")))
            self._board.put_end(which, AcquisitionResult.FAILED, f"ERROR:{message}", time.time())
            self._board.put_of(which, {"acq_state": AcquisitionState.FAILED.value})
        self._put({"gate": "shut", "state": after(WRITER, self.state, "lost", "writer").value})
        self._put_wait()
        for which in failed:
            self._end_commands(which, False, message)

    def on_found(self) -> None:
        """A data plane is there again."""
        if self.name is not None and self.state is WriterState.UNKNOWN:
            self._put({"state": after(WRITER, self.state, "found", "writer").value})

    def tick(self, folder: acquisitions.FolderState) -> None:
        """Once a second: the folder's state, its space, and what an acquisition waits for."""
        self._board.put_folder(folder)
        self._put_wait()

    @property
    def configuration(self) -> WriterConfig:
        name = self.name
        if name is None:
            raise Refused(f"writers.{self._slot}", "there is no writer in this slot; configure adds one")
        return self._core.configuration.writers[name]

    def _put_wait(self) -> None:
        self._board.put_wait(self._repeater.blocking)

    def _arm(self, command: str, requester: Requester, frames: int | None) -> None:
        """Prepare, start the repeater if needed, have the file made: all of it or nothing.

        With `frames` the gate opens as soon as the file is there.
        """
        subject = self._subject(command)
        now = time.time()
        plan = self._preparation.plan(
            subject,
            self.configuration,
            self._core.configuration,
            now=now,
            requester=requester,
        )
        try:
            self._ask_arm(subject, plan, frames)
        except Refused:
            self._preparation.release(plan.acquisition_id)
            raise
        self._begun(plan, now)

    def _ask_arm(self, subject: str, plan: control.AcquisitionPlan, frames: int | None) -> None:
        started = self._repeater.state is not RepeaterState.RUNNING
        if started:
            self._repeater.start()
        try:
            self._core.ask(subject, lambda number: control.Arm(number, self._slot, plan, frames))
        except Refused:
            if started:
                self._repeater.stop(self._core.begin("engine.stop"))
            raise

    def _follow_with(self, requester: Requester, frames: int | None) -> None:
        """Have the acquisitions of later series begin as this one."""
        self._next = partial(self._arm, "arm", requester, frames)

    def _follow(self) -> None:
        """Begin the acquisition of the next series, or say why there is none; the input waits for it."""
        subject = self._subject("arm")
        try:
            if self._next is None or self._repeater.state is not RepeaterState.RUNNING:
                raise Refused(subject, "stopped")
            self._next()
        except Refused as error:
            if self._next is not None:
                reason = f"the next series is not followed: {error}"
                self._core.note_error(f"writer {self.name}: {reason}")
                self._not_followed = f" ERROR:{reason}"
                if not self._board.is_under_way(NEWEST):
                    self._put({"acq_message": f"{self._value('acq_message')}{self._not_followed}"})
            ending = str(self._value("acquisition_id"))
            with suppress(Refused):
                self._core.ask(subject, lambda number: control.End(number, self._slot, False, ending))

    def _begun(self, plan: control.AcquisitionPlan, now: float) -> None:
        self._handles = {NEWEST: AcquisitionHandles(), PREVIOUS: self._handles[NEWEST]}
        self._not_followed = ""
        self._board.put_begun(plan, now)
        self._put({"state": after(WRITER, self.state, "arm", "writer").value})
        self._count_up()

    def _count_up(self) -> None:
        """With auto_increment the number rises when the file is opened, as in areaDetector."""
        writer = self.configuration
        if not (writer.auto_increment and has_number(writer.file_template)):
            return
        raised = writer.changed({"file_number": writer.file_number + 1})
        writers = {**self._core.configuration.writers, str(self.name): raised}
        self._core.reconfigure(self._core.configuration.model_copy(update={"writers": writers}))

    def _close(self, which: str, ok: bool, message: str) -> None:
        if not any(map(self._board.is_under_way, (NEWEST, PREVIOUS))):
            self._put({"state": after(WRITER, self.state, "closed", "writer").value, "space_warning": ""})
        self._end_commands(which, ok, message)

    def _end_commands(self, which: str, ok: bool, message: str) -> None:
        for handles in self._handles[which].all:
            self._core.end(handles, ok, message)
        if not ok:
            self._core.note_error(f"writer {self.name}: {message}")

    def _check_previous(self, subject: str) -> None:
        """Refuse a third acquisition while the one before the newest is still flushed."""
        if reason := still_written(self._board.fields):
            raise Refused(subject, f"{reason}; wait until it is closed")

    def _subject(self, command: str) -> str:
        return f"writers.{self.name or self._slot}.{command}"

    def _value(self, field: str) -> Value:
        return self._board.value(field)

    def _put(self, fields: dict[str, Value]) -> None:
        self._board.put(fields)
