"""One writer: its acquisitions from arm to close, as the data plane reports them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from repstream.dataplane import control
from repstream.errors import Refused
from repstream.link.handles import PendingHandle
from repstream.parameters.facts import Shown, Value
from repstream.parameters.writer_status import NEWEST, PREVIOUS
from repstream.protocol import Requester
from repstream.service import acquisitions
from repstream.service.context import ServiceContext
from repstream.service.folders import FolderState
from repstream.service.repeater import Repeater
from repstream.service.starting import Starting
from repstream.service.writer_slot import WriterSlot
from repstream.states import (
    ACQUISITION,
    ENDED,
    OVER,
    WRITER,
    AcquisitionResult,
    AcquisitionState,
    StartResult,
    after,
    has_no_image,
    is_flushing,
    is_ready,
    is_unknown,
)

_EVENT = {
    AcquisitionState.WAITING_IMAGES: "waiting",
    AcquisitionState.ACQUIRING_IMAGES: "first_image",
    AcquisitionState.FLUSHING_IMAGES: "flushing",
    AcquisitionState.FINISHED: "finished",
    AcquisitionState.FAILED: "failed",
}


class Writer:
    """Commands and events of the writer in one slot; used in the owner's thread.

    The newest acquisition and the one before it, which may still be flushed, are on the board.
    """

    def __init__(
        self, context: ServiceContext, repeater: Repeater, slot: int, preparation: acquisitions.Preparation
    ) -> None:
        self._writer = WriterSlot(context, slot)
        self._context, self._board = context, self._writer.board
        self._repeater = repeater
        self._preparation = preparation
        self._starting = Starting(self._writer, repeater, preparation)

    @property
    def name(self) -> str | None:
        return self._writer.name

    @property
    def may_begin(self) -> bool:
        """Whether the next acquisition may be set up: none takes frames, if one is flushed or not."""
        return self._writer.may_begin

    def note_start(self, result: StartResult, message: str) -> None:
        """Put what became of an arm or start that was not accepted."""
        self._writer.note_start(result, message)

    async def arm(self, handle: PendingHandle, requester: Requester) -> None:
        """Check everything, have the file made; `handle` ends when it waits for images."""
        await self._starting.take_images("arm", requester, None, handle)

    async def start(self, handle: PendingHandle, requester: Requester, frames: int) -> None:
        """Open the gate, arming first if needed; `handle` ends when it has shut or the file is closed."""
        await self._starting.take_images("start", requester, frames, handle)

    async def end(self, handle: PendingHandle, discard: bool) -> None:
        """Stop or abort, in one's turn; `handle` ends when the file is closed, at once where none is open.

        It is the newest acquisition that ends; the one before only where that is closed.
        """
        command = "abort" if discard else "stop"
        subject = self._writer.subject(command)
        following = after(WRITER, self._writer.state, command, subject, self._context.way_out)
        if is_unknown(self._writer.state):
            await self._repeater.initialize()
            self._board.show_state(following)
        self._starting.follow_no_more()
        if is_ready(self._writer.state):
            self._context.end([handle], True, "nothing to do")
            return
        which = NEWEST if self._board.is_under_way(NEWEST) else PREVIOUS
        ending = self._board.acquisition(which).acquisition_id
        await self._context.ask(
            subject,
            lambda number: control.End(number, self._writer.number, discard, ending),
            lambda: self._ending(ending, discard, handle),
        )

    async def pause(self) -> None:
        """Shut the gate, in one's turn; nothing where none is open."""
        subject = self._writer.subject("pause")
        after(WRITER, self._writer.state, "pause", subject, self._context.way_out)
        if is_ready(self._writer.state):
            return
        if self._writer.configuration.follow_series:
            reason = "with follow_series each series opens the gate; stop ends the acquisition"
            raise Refused(subject, reason)
        await self._context.ask(
            subject, lambda number: control.ShutGate(number, self._writer.number), self._shut
        )

    async def flush(self) -> None:
        """Put what was written so far on the disk, in one's turn."""
        subject = self._writer.subject("flush")
        after(WRITER, self._writer.state, "flush", subject, self._context.way_out)
        await self._context.ask(subject, lambda number: control.Flush(number, self._writer.number))

    def on_adopted(self, told: Sequence[control.Told], *, is_open: bool) -> None:
        """A data plane was taken up that had begun these; `is_open`: the gate of the newest."""
        for each in told:
            self._starting.adopt(each.plan, each.frames)
            for notice in each.notices:
                self.on_notice(notice)
        self._board.show_gate(is_open)

    def on_notice(self, notice: control.AcquisitionNotice) -> None:
        """Follow an acquisition. Order at an end: counters, message, result, state, completion."""
        which = self._board.which(notice.acquisition_id)
        if which is None:
            return  # of a writer that is gone
        subject = self._writer.subject("acquisition")
        state = after(ACQUISITION, self._board.acquisition(which).acq_state, _EVENT[notice.state], subject)
        self._context.put(self.counted(notice.report, notice.clock))
        self.on_report()
        message = notice.message
        if state in ENDED:
            if which == NEWEST:
                message += self._starting.not_followed
            self._board.show_file(which, notice.path)
            self._board.show_end(which, notice.result, message, notice.time)
            self._writer.show_result_of_start(which, notice.result, message)
        if which == NEWEST and state in OVER:
            self._board.show_gate(False)
        self._board.show_acquisition_state(which, state)
        self._show_wait()
        if has_no_image(state):
            self._context.end(self._writer.handles[which].file, True, f"{notice.path} waits for images")
        if state in ENDED:
            self._preparation.release(notice.acquisition_id)
            self._close(which, notice.result, message)
        if notice.follow:
            self._context.owner.spawn(self._starting.follow())

    def on_gate(self, notice: control.GateNotice) -> None:
        """The gate has shut after its number of frames or on request, or was opened by trigger or series."""
        if self._board.which(notice.acquisition_id) != NEWEST:
            return
        if notice.is_open:
            self._board.show_gate(True)
        else:
            if notice.report is not None:
                self._context.put(self.counted(notice.report, notice.clock))
            self._shut()

    def counted(self, report: control.WriterReport, now: float) -> dict[str, Value]:
        """The counters in a report, by key; `on_report` is due when they are published."""
        return self._board.counted(report, now)

    def on_report(self) -> None:
        """Follow the counters."""
        if self.name is not None and is_flushing(self._writer.newest.acq_state):
            self._show_wait()

    def on_lost(self, reason: str) -> None:
        """The data plane died: UNKNOWN, and what was under way has failed."""
        if self.name is None:
            return
        failed = {
            which: f"the data plane died: {reason}; {self._readable(which)}"
            for which in (PREVIOUS, NEWEST)
            if self._board.is_under_way(which)
        }
        self._board.show_died()
        for which, message in failed.items():
            self._preparation.release(self._board.acquisition(which).acquisition_id)
            self._board.show_end(which, AcquisitionResult.FAILED, f"ERROR:{message}", time.time())
            self._writer.show_result_of_start(which, AcquisitionResult.FAILED, message)
            self._board.show_acquisition_state(which, AcquisitionState.FAILED)
        self._board.show_gate(False)
        self._board.show_state(after(WRITER, self._writer.state, "lost", "writer"))
        self._show_wait()
        for which, message in failed.items():
            self._writer.end_commands(which, AcquisitionResult.FAILED, message)

    def _readable(self, which: Shown) -> str:
        """What is left of an acquisition whose data plane is gone."""
        acquisition = self._board.acquisition(which)
        if not acquisition.num_written:
            return "no image was written"
        return f"{acquisition.num_written} images can be read in {acquisition.full_file_name}"

    def on_found(self) -> None:
        """A data plane is there again."""
        if self.name is not None and is_unknown(self._writer.state):
            self._board.show_state(after(WRITER, self._writer.state, "found", "writer"))

    async def look_at_folder(self) -> None:
        """Now and then: the folder's state, whenever it answers."""
        if self.name is not None:
            folder = self._writer.configuration.folder
            await self._context.folders.look(folder, partial(self._show_folder, folder))

    def tick(self) -> None:
        """Once a second: what an acquisition waits for."""
        if self.name is not None:
            self._show_wait()

    def _shut(self) -> None:
        self._board.show_gate(False)
        self._context.end(self._writer.handles[NEWEST].gate, True, "the gate has shut, the file is open")

    def _show_wait(self) -> None:
        self._board.show_wait(self._writer.configuration, self._repeater.blocking)

    def _show_folder(self, folder: str, state: FolderState) -> None:
        if self.name is not None and self._writer.configuration.folder == folder:
            self._board.show_folder(folder, state)
            self._show_wait()

    def _ending(self, acquisition_id: str, discard: bool, handle: PendingHandle) -> None:
        """The data plane is about to end an acquisition, or it has ended by itself just before."""
        which = self._board.which(acquisition_id)
        if which is None or not self._board.is_under_way(which):
            self._context.end([handle], True, "it has ended already")
            return
        handles = self._writer.handles[which]
        (handles.abort if discard else handles.stop).append(handle)

    def _close(self, which: Shown, result: AcquisitionResult, message: str) -> None:
        if not any(map(self._board.is_under_way, (NEWEST, PREVIOUS))):
            self._board.show_closed(after(WRITER, self._writer.state, "closed", "writer"))
        self._writer.end_commands(which, result, message)
