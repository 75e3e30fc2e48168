"""One writer: its acquisitions from arm to close, and what the data plane tells of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from repstream.dataplane import control
from repstream.errors import Refused
from repstream.parameters import slots
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.parameters.file_names import has_number
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service import acquisitions, figures
from repstream.service.core import Core
from repstream.service.handles import PendingHandle
from repstream.service.repeater import Repeater
from repstream.service.waiting import space_warning, wait_of
from repstream.states import (
    ACQUISITION,
    WRITER,
    AcquisitionResult,
    AcquisitionState,
    RepeaterState,
    WriterState,
    after,
)

log = logging.getLogger(__name__)

_EVENT = {
    AcquisitionState.WAITING_IMAGES: "waiting",
    AcquisitionState.ACQUIRING_IMAGES: "first_image",
    AcquisitionState.FLUSHING_IMAGES: "flushing",
    AcquisitionState.FINISHED: "finished",
    AcquisitionState.FAILED: "failed",
}


class Writer:
    """Commands and events of the writer in one slot; whoever calls holds the core's lock."""

    def __init__(
        self, core: Core, repeater: Repeater, slot: int, preparation: acquisitions.Preparation
    ) -> None:
        self._core = core
        self._repeater = repeater
        self._slot = slot
        self._preparation = preparation
        self._waiting: list[PendingHandle] = []  # until the file waits for images
        self._gate: list[PendingHandle] = []  # until the gate shuts again
        self._closing: list[PendingHandle] = []  # until the file is closed
        self._rates = figures.Rates()
        self._next: Callable[[], None] | None = None  # begins the acquisition of the next series

    @property
    def name(self) -> str | None:
        return slots.name_at(self._core.configuration, Group.WRITER, self._slot)

    @property
    def state(self) -> WriterState:
        return WriterState(str(self._value("state")))

    @property
    def acquisition(self) -> AcquisitionState:
        return AcquisitionState(str(self._value("acq_state")))

    def arm(self, handle: PendingHandle, requester: Requester) -> None:
        """Check everything, have the file made; `handle` ends when it waits for images."""
        after(WRITER, self.state, "arm", self._subject("arm"))
        self._follow_with(requester, None)
        self._arm("arm", requester, None)
        self._waiting.append(handle)

    def start(self, handle: PendingHandle, requester: Requester, frames: int) -> None:
        """Open the gate, arming first if needed; `handle` ends when it has shut or the file is closed."""
        subject = self._subject("start")
        after(WRITER, self.state, "start", subject)
        if self.state is WriterState.READY:
            self._follow_with(requester, frames)
            self._arm("start", requester, frames)
        elif self.acquisition is AcquisitionState.FLUSHING_IMAGES:
            raise Refused(subject, "the last acquisition still writes what it received; wait until READY")
        elif self._value("gate") == "open":
            raise Refused(
                subject, f"already taking images for {self._value('full_file_name')}; stop it first"
            )
        else:
            self._core.ask(subject, lambda number: control.OpenGate(number, self._slot, frames))
        if not self.configuration.follow_series:
            self._put({"gate": "open"})
        (self._gate if frames else self._closing).append(handle)

    def end(self, handle: PendingHandle, discard: bool) -> None:
        """Stop or abort; `handle` ends when the file is closed, at once where nothing is open."""
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
        self._core.ask(subject, lambda number: control.End(number, self._slot, discard))
        self._closing.append(handle)

    def flush(self) -> None:
        """Put what was written so far on the disk."""
        subject = self._subject("flush")
        after(WRITER, self.state, "flush", subject)
        self._core.ask(subject, lambda number: control.Flush(number, self._slot))

    def on_notice(self, notice: control.AcquisitionNotice) -> None:
        """Follow the acquisition. Order at an end: counters, message, result, state, completion."""
        if notice.acquisition_id != self._value("acquisition_id"):
            return
        state = after(ACQUISITION, self.acquisition, _EVENT[notice.state], self._subject("acquisition"))
        self.on_report(notice.report)
        ended = state in (AcquisitionState.FINISHED, AcquisitionState.FAILED)
        if ended:
            self._put(
                {"stop_time": notice.time, "acq_message": notice.message, "full_file_name": notice.path}
            )
            self._put({"acq_result": notice.result.value})
        if state is AcquisitionState.FLUSHING_IMAGES or ended:
            self._put({"gate": "shut"})
        self._put({"acq_state": state.value})
        self._put_wait()
        if state is AcquisitionState.WAITING_IMAGES:
            self._core.end(self._waiting, True, f"{notice.path} waits for images")
        if ended:
            self._close(state is AcquisitionState.FINISHED, notice.message, WriterState.READY)
            if notice.follow:
                self._follow(notice.message)

    def on_gate(self, notice: control.GateNotice) -> None:
        """The gate has shut after its number of frames, or trigger or series have opened it."""
        if notice.acquisition_id != self._value("acquisition_id"):
            return
        if notice.is_open:
            self._put({"gate": "open"})
        else:
            self._put({"gate": "shut"})
            self._core.end(self._gate, True, "the gate has shut, the file is open")

    def on_report(self, report: control.WriterReport) -> None:
        """Publish the counters, and the progress that follows from them."""
        if report.acquisition_id != self._value("acquisition_id"):
            return
        fields = figures.writer_fields(report, "writer", time.time(), self._rates)
        requested = int(self._value("num_requested") or 0)
        fields["progress"] = figures.progress(report.ledger.sent, requested)
        self._put(fields)
        if self.acquisition is AcquisitionState.FLUSHING_IMAGES:
            self._put_wait()

    def on_lost(self, reason: str) -> None:
        """The data plane died: UNKNOWN, and the acquisition that was under way has failed."""
        if self.name is None:
            return
        if self.state is WriterState.WRITING:
            message = f"ERROR:the data plane died: {reason}"
            self._put({"stop_time": time.time(), "acq_message": message, "gate": "shut"})
            self._put({"acq_result": AcquisitionResult.FAILED.value})
            self._put({"acq_state": AcquisitionState.FAILED.value})
            self._put_wait()
        self._close(False, f"the data plane died: {reason}", after(WRITER, self.state, "lost", "writer"))

    def on_found(self) -> None:
        """A data plane is there again."""
        if self.name is not None and self.state is WriterState.UNKNOWN:
            self._put({"state": after(WRITER, self.state, "found", "writer").value})

    def tick(self, folder: acquisitions.FolderState) -> None:
        """Once a second: the folder's state, its space, and what an acquisition waits for."""
        self._put(
            {
                "free_space": folder.free_space,
                "folder_exists": folder.exists,
                "folder_writable": folder.writable,
            }
        )
        self._watch_space(folder.free_space)
        self._put_wait()

    @property
    def configuration(self) -> WriterConfig:
        name = self.name
        if name is None:
            raise Refused(f"writers.{self._slot}", "there is no writer in this slot; configure adds one")
        return self._core.configuration.writers[name]

    def _watch_space(self, free: float | None) -> None:
        """Warn of too little space while something is written; the storage itself says when it is full."""
        warning = ""
        if self.state is WriterState.WRITING:
            warning = space_warning(self._core.fields(Group.WRITER, self._slot), free)
        if warning and not self._value("space_warning"):
            log.warning("writer %s, acquisition %s: %s", self.name, self._value("acquisition_id"), warning)
        self._put({"space_warning": warning})

    def _put_wait(self) -> None:
        fields = self._core.fields(Group.WRITER, self._slot)
        source = self._core.fields(Group.SOURCE, 0)
        wait = wait_of(fields, source, self._repeater.blocking, time.time())
        self._put({"waiting": wait.text, "waiting_for": wait.reason, "waiting_since": wait.since})

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
            seen=self._seen(),
        )
        started = self._repeater.state is not RepeaterState.RUNNING
        if started:
            self._repeater.start()
        try:
            self._core.ask(subject, lambda number: control.Arm(number, self._slot, plan, frames))
        except Refused:
            if started:
                self._repeater.stop(self._core.begin("engine.stop"))
            raise
        self._begun(plan, now)

    def _follow_with(self, requester: Requester, frames: int | None) -> None:
        """Have the acquisitions of later series begin as this one."""
        self._next = partial(self._arm, "arm", requester, frames)

    def _follow(self, message: str) -> None:
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
                self._put({"acq_message": f"{message} ERROR:{reason}"})
            with suppress(Refused):
                self._core.ask(subject, lambda number: control.End(number, self._slot, discard=False))

    def _seen(self) -> acquisitions.Seen:
        """The shape and type of the last image, where there was one."""
        source = self._core.fields(Group.SOURCE, 0)
        height, width, dtype = (source[name] for name in ("seen_height", "seen_width", "seen_type"))
        return acquisitions.Seen(int(height or 0), int(width or 0), str(dtype or "any"))

    def _begun(self, plan: control.AcquisitionPlan, now: float) -> None:
        self._rates = figures.Rates()
        fresh: dict[str, Value] = {
            "acquisition_id": plan.acquisition_id,
            "acq_run_id": plan.run_id,
            "full_file_name": plan.path,
            "num_requested": plan.num_images,
            "num_written": 0,
            "num_missing": 0,
            "progress": 0.0,
            "file_size": 0,
            "start_time": now,
            "stop_time": None,
            "acq_message": "",
            "acq_result": AcquisitionResult.NONE.value,
            "gate": "shut",
        }
        self._put(fresh)
        self._put(
            {
                "acq_state": after(ACQUISITION, self.acquisition, "begun", "acquisition").value,
                "state": after(WRITER, self.state, "arm", "writer").value,
            }
        )
        self._count_up()

    def _count_up(self) -> None:
        """With auto_increment the number rises when the file is opened, as in areaDetector."""
        writer = self.configuration
        if not (writer.auto_increment and has_number(writer.file_template)):
            return
        raised = writer.changed({"file_number": writer.file_number + 1})
        writers = {**self._core.configuration.writers, str(self.name): raised}
        self._core.reconfigure(self._core.configuration.model_copy(update={"writers": writers}))

    def _close(self, ok: bool, message: str, state: WriterState) -> None:
        self._put({"state": state.value, "space_warning": ""})
        for handles in (self._waiting, self._gate, self._closing):
            self._core.end(handles, ok, message)
        if not ok:
            self._core.note_error(f"writer {self.name}: {message}")

    def _subject(self, command: str) -> str:
        return f"writers.{self.name or self._slot}.{command}"

    def _value(self, field: str) -> Value:
        return self._core.board.values[key_of(Group.WRITER, self._slot, field)]

    def _put(self, fields: dict[str, Value]) -> None:
        self._core.put_fields(Group.WRITER, self._slot, fields)
