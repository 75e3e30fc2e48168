"""The values of one writer: its newest acquisition, and the one before it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from repstream.dataplane import control
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Shown, Value
from repstream.parameters.status import SourceStatus
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import CALLS, NEWEST, PREVIOUS, AcquisitionStatus, WriterStatus
from repstream.service import figures
from repstream.service.context import ServiceContext
from repstream.service.folders import FolderState
from repstream.service.waiting import Now, space_warning, still_written, wait_of
from repstream.states import (
    ACQUISITION,
    ENDED,
    AcquisitionResult,
    AcquisitionState,
    WriterState,
    after,
    has_no_file,
    is_writing,
)

log = logging.getLogger(__name__)


class WriterBoard:
    """What the writer in one slot shows; used in the owner's thread.

    `which` is NEWEST or PREVIOUS everywhere. What is read is a copy, which the `show` methods publish.
    """

    def __init__(self, context: ServiceContext, slot: int) -> None:
        self._context = context
        self._slot = slot
        self._rates = {NEWEST: figures.Rates(), PREVIOUS: figures.Rates()}
        self._begun = {NEWEST: 0.0, PREVIOUS: 0.0}

    @property
    def writer(self) -> WriterStatus:
        return self._context.status(WriterStatus, Group.WRITER, self._slot)

    def acquisition(self, which: Shown) -> AcquisitionStatus:
        return self._context.status(AcquisitionStatus, Group.WRITER, self._slot, which.prefix)

    def show(self, writer: WriterStatus) -> None:
        self._context.show(writer, Group.WRITER, self._slot)

    def show_acquisition(self, which: Shown, acquisition: AcquisitionStatus) -> None:
        self._context.show(acquisition, Group.WRITER, self._slot, which.prefix)

    @property
    def state(self) -> WriterState:
        return self.writer.state

    def show_state(self, state: WriterState) -> None:
        writer = self.writer
        writer.state = state
        self.show(writer)

    def show_gate(self, is_open: bool) -> None:
        writer = self.writer
        writer.gate = "open" if is_open else "shut"
        self.show(writer)

    def show_acquisition_state(self, which: Shown, state: AcquisitionState) -> None:
        acquisition = self.acquisition(which)
        acquisition.acq_state = state
        self.show_acquisition(which, acquisition)

    def show_file(self, which: Shown, path: str) -> None:
        acquisition = self.acquisition(which)
        acquisition.full_file_name = path
        self.show_acquisition(which, acquisition)

    def show_closed(self, state: WriterState) -> None:
        """No file is open any more."""
        writer = self.writer
        writer.state, writer.space_warning = state, ""
        self.show(writer)

    def show_died(self) -> None:
        """The data plane has died, and what waited for the file with it."""
        writer, newest, previous = self.writer, self.acquisition(NEWEST), self.acquisition(PREVIOUS)
        figures.died(writer, newest)
        figures.lost_with_it(previous, previous.left)
        writer.kept, writer.spilled, writer.disk_wait, newest.left, previous.left = 0, 0, 0.0, 0, 0
        values = {**writer.values(), **newest.values(NEWEST.prefix), **previous.values(PREVIOUS.prefix)}
        self._context.put_fields(Group.WRITER, self._slot, values)

    def is_under_way(self, which: Shown) -> bool:
        """Whether the file of an acquisition is still to be closed."""
        state = self.acquisition(which).acq_state
        if has_no_file(state):
            # The newest one, until its file is there.
            return which == NEWEST and is_writing(self.state)
        return state not in ENDED

    def which(self, acquisition_id: str) -> Shown | None:
        """Which of the two acquisitions has this id, if one has."""
        for which in (NEWEST, PREVIOUS):
            if acquisition_id and acquisition_id == self.acquisition(which).acquisition_id:
                return which
        return None

    def show_begun(self, plan: control.AcquisitionPlan, now: float) -> None:
        """A new acquisition begins; the newest one is the previous one from now on."""
        self._rates = {NEWEST: figures.Rates(), PREVIOUS: self._rates[NEWEST]}
        self._begun = {NEWEST: self._context.note_start(self._slot), PREVIOUS: self._begun[NEWEST]}
        before = self.acquisition(NEWEST)
        begun = AcquisitionStatus(
            acquisition_id=plan.acquisition_id,
            acq_run_id=plan.run_id,
            full_file_name=plan.path,
            num_requested=plan.num_images,
            start_time=now,
            acq_state=before.acq_state,
        )
        writer = self.writer
        writer.progress, writer.gate = 0.0, "shut"
        values = {**before.values(PREVIOUS.prefix), **begun.values(NEWEST.prefix), **writer.values()}
        self._context.put_fields(Group.WRITER, self._slot, values)
        state = after(ACQUISITION, before.acq_state, "begun", "acquisition")
        self.show_acquisition_state(NEWEST, state)

    def counted(self, report: control.WriterReport, now: float) -> dict[str, Value]:
        """The counters in a report, and the progress that follows from them, by key.

        None for an acquisition that is neither of the two: it was on its way when another was begun. What
        a writer counts after a start, before its first acquisition, leaves alone what is known of the
        last one's file.
        """
        which = self.which(report.acquisition_id) if report.acquisition_id else NEWEST
        if which is None:
            return {}
        acquisition, rates = self.acquisition(which), self._rates[which]
        found: dict[str, Value] = {}
        if which == NEWEST:
            writer = self.writer
            figures.count_writer(writer, acquisition, report, now, rates)
            if report.acquisition_id:
                requested = acquisition.num_requested or 0
                writer.progress = figures.progress(report.ledger.sent, requested)
            found = writer.values()
            for call, seen in report.calls.items():
                found |= figures.call_status(seen).values(CALLS[call].prefix)
        if report.acquisition_id:
            figures.count_acquisition(acquisition, report, now, rates)
        found |= acquisition.values(which.prefix)
        return {key_of(Group.WRITER, self._slot, field): value for field, value in found.items()}

    def show_end(self, which: Shown, result: AcquisitionResult, message: str, now: float) -> None:
        """Show what became of an acquisition; its state is for the caller, after that."""
        acquisition = self.acquisition(which)
        acquisition.stop_time, acquisition.acq_message = now, message
        acquisition.acq_duration = round(time.monotonic() - self._begun[which], 3)
        self.show_acquisition(which, acquisition)
        acquisition.acq_result = result
        self.show_acquisition(which, acquisition)

    def show_folder(self, path: str, folder: FolderState) -> None:
        """Show the folder's state, with a warning of too little space while something is written.

        Only the storage itself says that it is full.
        """
        writer, newest = self.writer, self.acquisition(NEWEST)
        writer.free_space = folder.free_space
        writer.folder_exists = folder.exists
        writer.folder_writable = folder.writable
        writer.folder_status = folder.problem(path)
        before, writer.space_warning = writer.space_warning, ""
        if is_writing(writer.state):
            writer.space_warning = space_warning(writer, newest, folder.free_space)
        if writer.space_warning and not before:
            what = f"writer {writer.name}, acquisition {newest.acquisition_id}"
            log.warning("%s: %s", what, writer.space_warning)
        self.show(writer)

    def show_wait(self, config: WriterConfig, blocking: Sequence[str]) -> None:
        """Show what the newest acquisition waits for; `blocking`: the outputs that hold up the source.

        The sentence also mentions the previous one, where that is not closed yet.
        """
        writer, source = self.writer, self._context.status(SourceStatus, Group.SOURCE)
        since_start = self._context.since_start(self._slot)
        now = Now(config, writer, self.acquisition(NEWEST), self.acquisition(PREVIOUS), since_start)
        wait = wait_of(now, source, blocking, time.time(), self._context.quiet)
        silent = writer.folder_status if writer.folder_exists is None else ""
        writer.waiting = "; ".join(part for part in (wait.text, silent, still_written(now.previous)) if part)
        writer.waiting_for, writer.waiting_since = wait.reason, wait.since
        self.show(writer)
