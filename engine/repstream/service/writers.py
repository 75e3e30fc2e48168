"""One writer: its acquisitions from arm to close, and what the data plane tells of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from repstream import states
from repstream.dataplane import control
from repstream.errors import Refused, RepstreamError
from repstream.files.file_set import FileSet
from repstream.link.handles import PendingHandle
from repstream.parameters import slots
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.source import SourceConfig
from repstream.parameters.status import NEWEST, PREVIOUS
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service import acquisitions
from repstream.service.acquisitions import numbered_on
from repstream.service.core import Core
from repstream.service.folders import FolderState
from repstream.service.handles import AcquisitionHandles
from repstream.service.repeater import Repeater
from repstream.service.turn import limit
from repstream.service.waiting import still_written
from repstream.service.writer_board import WriterBoard
from repstream.states import (
    ACQUISITION,
    ENDED,
    OVER,
    WRITER,
    AcquisitionResult,
    AcquisitionState,
    StartResult,
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
    """Commands and events of the writer in one slot; used in the owner's thread.

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
        self._next: Callable[[], Coroutine[Any, Any, None]] | None = None  # begins that of the next series
        self._not_followed = ""

    @property
    def name(self) -> str | None:
        return slots.name_at(self._core.configuration, Group.WRITER, self._slot)

    @property
    def state(self) -> WriterState:
        """Raises `Refused` where there is no writer in this slot."""
        if self.name is None:
            raise _empty(self._slot)
        return self._board.state

    @property
    def may_begin(self) -> bool:
        """Whether the next acquisition may be set up: none takes frames, if one is flushed or not."""
        if self.name is None or self._value("state") is None:
            return True
        if self.state is WriterState.WRITING:
            return self._board.acquisition(NEWEST) in OVER
        return self.state is WriterState.READY

    async def arm(self, handle: PendingHandle, requester: Requester) -> None:
        """Check everything, have the file made; `handle` ends when it waits for images."""
        await self._take_images("arm", requester, None, handle)

    async def start(self, handle: PendingHandle, requester: Requester, frames: int) -> None:
        """Open the gate, arming first if needed; `handle` ends when it has shut or the file is closed."""
        await self._take_images("start", requester, frames, handle)

    async def end(self, handle: PendingHandle, discard: bool) -> None:
        """Stop or abort, in one's turn; `handle` ends when the file is closed, at once where none is open.

        It is the newest acquisition that ends; the one before only where that is closed.
        """
        command = "abort" if discard else "stop"
        subject = self._subject(command)
        following = after(WRITER, self.state, command, subject)
        if self.state is WriterState.UNKNOWN:
            await self._repeater.initialize()
            self._put({"state": following.value})
        self._next = None
        if self.state is WriterState.READY:
            self._core.end([handle], True, "nothing to do")
            return
        which = NEWEST if self._board.is_under_way(NEWEST) else PREVIOUS
        ending = str(self._value(f"{which}acquisition_id"))
        await self._core.ask(
            subject,
            lambda number: control.End(number, self._slot, discard, ending),
            lambda: self._ending(ending, discard, handle),
        )

    async def flush(self) -> None:
        """Put what was written so far on the disk, in one's turn."""
        subject = self._subject("flush")
        after(WRITER, self.state, "flush", subject)
        await self._core.ask(subject, lambda number: control.Flush(number, self._slot))

    def note_start(self, result: StartResult, message: str, acquisition_id: str = "") -> None:
        """Put what became of the last arm or start, for scripts that must not miss it."""
        if self.name is None:
            return
        known_late = self._value("start_result") == StartResult.UNKNOWN
        count = int(self._value("start_count") or 0) + (0 if known_late else 1)
        self._put({"start_id": acquisition_id, "start_message": message})
        self._put({"start_result": result.value, "start_count": count})

    def on_notice(self, notice: control.AcquisitionNotice) -> None:
        """Follow an acquisition. Order at an end: counters, message, result, state, completion."""
        which = self._board.which(notice.acquisition_id)
        if which is None:
            return  # of a writer that is gone
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
            self._close(which, notice.result, message)
        if notice.follow:
            self._core.owner.spawn(self._follow())

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
        if self.name is not None and self._board.acquisition(NEWEST) is AcquisitionState.FLUSHING_IMAGES:
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
            self._end_commands(which, AcquisitionResult.FAILED, message)

    def on_found(self) -> None:
        """A data plane is there again."""
        if self.name is not None and self.state is WriterState.UNKNOWN:
            self._put({"state": after(WRITER, self.state, "found", "writer").value})

    async def look_at_folder(self) -> None:
        """Now and then: the folder's state, whenever it answers."""
        if self.name is not None:
            folder = self.configuration.folder
            await self._core.folders.look(folder, partial(self._put_folder, folder))

    def tick(self) -> None:
        """Once a second: what an acquisition waits for."""
        if self.name is not None:
            self._put_wait()

    @property
    def configuration(self) -> WriterConfig:
        name = self.name
        if name is None:
            raise _empty(self._slot)
        return self._core.configuration.writers[name]

    def _put_wait(self) -> None:
        self._board.put_wait(self._repeater.blocking)

    def _put_folder(self, folder: str, state: FolderState) -> None:
        if self.name is not None and self.configuration.folder == folder:
            self._board.put_folder(folder, state)
            self._put_wait()

    async def _take_images(
        self, command: str, requester: Requester, frames: int | None, handle: PendingHandle | None = None
    ) -> None:
        """Begin an acquisition or, where one is armed, open its gate: judged before and in one's turn.

        The file system is looked at before, since it may hang. With `frames` the gate opens.
        """
        subject = self._subject(command)
        while True:
            begins, settings = self._judge(command, subject), self._settings
            files = await self._look(subject) if begins else None
            async with self._repeater.turn(subject):
                if (self._judge(command, subject), self._settings) != (begins, settings):
                    continue  # another request came before this one
                if files is not None:
                    await self._begin(subject, files, requester, frames, handle)
                else:
                    opened = partial(self._opened, frames or 0, handle)
                    await self._core.ask(
                        subject, lambda number: control.OpenGate(number, self._slot, frames or 0), opened
                    )
                return

    def _judge(self, command: str, subject: str) -> bool:
        """Whether a command begins an acquisition, or opens the gate of one; raises `Refused`."""
        after(WRITER, self.state, command, subject)
        if self.may_begin:
            self._check_previous(subject)
            self._preparation.check(subject, self.configuration)
            return True
        file = self._value("full_file_name")
        if command == "arm":
            ready = (WriterState.READY.value,)
            raise Refused(subject, f"the acquisition for {file} goes on; stop it first", ready)
        if self._value("gate") == "open":
            raise Refused(subject, f"already taking images for {file}; stop it first")
        return False

    @property
    def _settings(self) -> tuple[WriterConfig, SourceConfig]:
        """What the file system was asked about."""
        return self.configuration, self._core.configuration.source

    async def _look(self, subject: str) -> FileSet:
        look = partial(self._preparation.look, subject, *self._settings)
        return await self._core.folders.call(subject, self.configuration.folder, look)

    async def _begin(
        self,
        subject: str,
        files: FileSet,
        requester: Requester,
        frames: int | None,
        handle: PendingHandle | None,
    ) -> None:
        """Start the repeater if needed and have the file made: both or neither."""
        now, before = time.time(), self._repeater.state
        plan = self._preparation.plan(
            subject, self.configuration, self._core.configuration, files, now=now, requester=requester
        )
        follow = partial(self._take_images, "arm", requester, frames)
        try:
            if not states.is_open(before):
                await self._repeater.start(subject)
            await self._core.ask(
                subject,
                lambda number: control.Arm(number, self._slot, plan, frames),
                lambda: self._begun(plan, now, frames, handle, follow),
            )
        except RepstreamError:
            self._preparation.release(plan.acquisition_id)
            if not states.is_open(before):
                await self._repeater.stop(None, into=before)
            raise

    async def _follow(self) -> None:
        """Begin the acquisition of the next series, or say why there is none; the input waits for it."""
        limit()
        subject = self._subject("arm")
        try:
            if self._next is None or not states.is_open(self._repeater.state):
                raise Refused(subject, "stopped")
            await self._next()
        except RepstreamError as error:
            if self._next is not None:
                reason = f"the next series is not followed: {error}"
                self._core.note_error(f"writer {self.name}: {reason}")
                self._not_followed = f" ERROR:{reason}"
                if not self._board.is_under_way(NEWEST):
                    self._put({"acq_message": f"{self._value('acq_message')}{self._not_followed}"})
            ending = str(self._value("acquisition_id"))
            with suppress(RepstreamError):
                async with self._core.turn(subject):
                    await self._core.ask(
                        subject, lambda number: control.End(number, self._slot, False, ending)
                    )

    def _begun(
        self,
        plan: control.AcquisitionPlan,
        now: float,
        frames: int | None,
        handle: PendingHandle | None,
        follow: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """The data plane has taken an acquisition, and opened its gate where that was asked for."""
        subject = self._subject("arm")
        raised = numbered_on(subject, self.configuration)
        self._handles = {NEWEST: AcquisitionHandles(), PREVIOUS: self._handles[NEWEST]}
        self._not_followed = ""
        self._next = follow
        self._board.put_begun(plan, now)
        self._put({"state": after(WRITER, self.state, "arm", "writer").value})
        if raised != self.configuration:
            writers = {**self._core.configuration.writers, str(self.name): raised}
            self._core.reconfigure(self._core.configuration.model_copy(update={"writers": writers}))
        if frames is None:
            if handle is not None:
                self._handles[NEWEST].file.append(handle)
        else:
            self._opened(frames, handle)
            return
        self._note_accepted()

    def _opened(self, frames: int, handle: PendingHandle | None) -> None:
        """The data plane has opened the gate; one that follows series waits for those."""
        if not self.configuration.follow_series:
            self._put({"gate": "open"})
        handles = self._handles[NEWEST]
        if handle is not None:
            (handles.gate if frames else handles.images).append(handle)
        self._note_accepted()

    def _note_accepted(self) -> None:
        acquisition_id = str(self._value("acquisition_id"))
        self.note_start(StartResult.ACCEPTED, f"accepted {acquisition_id}", acquisition_id)

    def _ending(self, acquisition_id: str, discard: bool, handle: PendingHandle) -> None:
        """The data plane is about to end an acquisition, or it has ended by itself just before."""
        which = self._board.which(acquisition_id)
        if which is None or not self._board.is_under_way(which):
            self._core.end([handle], True, "it has ended already")
            return
        handles = self._handles[which]
        (handles.abort if discard else handles.stop).append(handle)

    def _close(self, which: str, result: AcquisitionResult, message: str) -> None:
        if not any(map(self._board.is_under_way, (NEWEST, PREVIOUS))):
            self._put({"state": after(WRITER, self.state, "closed", "writer").value, "space_warning": ""})
        self._end_commands(which, result, message)

    def _end_commands(self, which: str, result: AcquisitionResult, message: str) -> None:
        """End all commands that wait for an acquisition: each has got what it wanted, or not."""
        handles = self._handles[which]
        written = int(self._value(f"{which}num_written") or 0)
        requested = int(self._value(f"{which}num_requested") or 0)
        whole = states.is_whole(result, written, requested)
        if not whole and requested and result is AcquisitionResult.INTERRUPTED:
            message = f"{written} of {requested} images: {message}"
        fault = states.is_fault(result)
        if fault:
            self._core.note_error(f"writer {self.name}: {message}")
        for wanting in handles.wanting_images:
            self._core.end(wanting, whole, message)
        self._core.end(handles.stop, not fault and result is not AcquisitionResult.ABORTED, message)
        self._core.end(handles.abort, not fault, message)

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


def _empty(slot: int) -> Refused:
    return Refused(f"writers.{slot}", "there is no writer in this slot; configure adds one")
