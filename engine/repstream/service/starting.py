"""How acquisitions of a writer begin: judged, looked at, taken by the data plane, then on the board."""

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
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import NEWEST, PREVIOUS
from repstream.protocol import Requester
from repstream.service.acquisitions import Preparation, numbered_on
from repstream.service.handles import AcquisitionHandles
from repstream.service.repeater import Repeater
from repstream.service.turn import limit
from repstream.service.waiting import still_written
from repstream.service.writer_slot import WriterSlot
from repstream.states import WRITER, StartResult, WriterState, after


class Starting:
    """Arms and starts one writer, on request and for each series that it follows.

    `not_followed` says why the series after the newest acquisition gets none; empty where it does.
    """

    def __init__(self, writer: WriterSlot, repeater: Repeater, preparation: Preparation) -> None:
        self._writer = writer
        self._context, self._board = writer.context, writer.board
        self._repeater = repeater
        self._preparation = preparation
        self._next: Callable[[], Coroutine[Any, Any, None]] | None = None  # begins that of the next series
        self.not_followed = ""

    async def take_images(
        self, command: str, requester: Requester, frames: int | None, handle: PendingHandle | None = None
    ) -> None:
        """Begin an acquisition or, where one is armed, open its gate: judged before and in one's turn.

        The file system is looked at before, since it may hang. With `frames` the gate opens.
        """
        subject = self._writer.subject(command)
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
                    await self._context.ask(
                        subject,
                        lambda number: control.OpenGate(number, self._writer.number, frames or 0),
                        opened,
                    )
                return

    def _judge(self, command: str, subject: str) -> bool:
        """Whether a command begins an acquisition, or opens the gate of one; raises `Refused`."""
        after(WRITER, self._writer.state, command, subject, self._writer.context.way_out)
        if self._writer.may_begin:
            self._check_previous(subject)
            self._preparation.check(subject, *self._settings)
            return True
        file = self._writer.newest.full_file_name
        if command == "arm":
            ready = (WriterState.READY.value,)
            raise Refused(subject, f"the acquisition for {file} goes on; stop it first", ready)
        if self._board.writer.gate == "open":
            raise Refused(subject, f"already taking images for {file}; stop it first")
        return False

    @property
    def _settings(self) -> tuple[WriterConfig, SourceConfig]:
        """What the file system was asked about."""
        return self._writer.configuration, self._context.configuration.source

    async def _look(self, subject: str) -> FileSet:
        look = partial(self._preparation.look, subject, *self._settings)
        return await self._context.folders.call(subject, self._writer.configuration.folder, look)

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
            subject,
            self._writer.configuration,
            self._context.configuration,
            files,
            now=now,
            requester=requester,
            start=self._context.asking.plane.start,
        )
        follow = partial(self.take_images, "arm", requester, frames)
        try:
            if not states.is_open(before):
                await self._repeater.start(subject)
            await self._context.ask(
                subject,
                lambda number: control.Arm(number, self._writer.number, plan, frames),
                lambda: self._begun(plan, now, frames, handle, follow),
            )
        except RepstreamError:
            self._preparation.release(plan.acquisition_id)
            if not states.is_open(before):
                await self._repeater.stop(None, into=before)
            raise

    def follow_no_more(self) -> None:
        """No further series gets an acquisition."""
        self._next = None

    async def follow(self) -> None:
        """Begin the acquisition of the next series, or say why there is none; the input waits for it."""
        limit()
        subject = self._writer.subject("arm")
        try:
            if self._next is None or not states.is_open(self._repeater.state):
                raise Refused(subject, "stopped")
            await self._next()
        except RepstreamError as error:
            if self._next is not None:
                reason = f"the next series is not followed: {error}"
                self._context.note_error(f"writer {self._writer.name}: {reason}")
                self.not_followed = f" ERROR:{reason}"
                if not self._board.is_under_way(NEWEST):
                    newest = self._writer.newest
                    newest.acq_message += self.not_followed
                    self._board.show_acquisition(NEWEST, newest)
            ending = self._writer.newest.acquisition_id
            with suppress(RepstreamError):
                async with self._context.turn(subject):
                    await self._context.ask(
                        subject, lambda number: control.End(number, self._writer.number, False, ending)
                    )

    def adopt(self, plan: control.AcquisitionPlan, frames: int | None) -> None:
        """Show an acquisition that the data plane had begun for a service that has died."""
        begun = self._preparation.take(plan)
        self._writer.handles = {NEWEST: AcquisitionHandles(), PREVIOUS: self._writer.handles[NEWEST]}
        requester = Requester("engine", "the start before")
        self._next = partial(self.take_images, "arm", requester, frames) if plan.follow_series else None
        self._board.show_begun(plan, begun)
        self._board.show_state(after(WRITER, self._writer.state, "arm", "writer"))
        self._note_accepted()

    def _begun(
        self,
        plan: control.AcquisitionPlan,
        now: float,
        frames: int | None,
        handle: PendingHandle | None,
        follow: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """The data plane has taken an acquisition, and opened its gate where that was asked for."""
        subject = self._writer.subject("arm")
        raised = numbered_on(subject, self._writer.configuration)
        self._writer.handles = {NEWEST: AcquisitionHandles(), PREVIOUS: self._writer.handles[NEWEST]}
        self.not_followed = ""
        self._next = follow
        self._board.show_begun(plan, now)
        self._board.show_state(after(WRITER, self._writer.state, "arm", "writer"))
        if raised != self._writer.configuration:
            writers = {**self._context.configuration.writers, str(self._writer.name): raised}
            self._context.reconfigure(self._context.configuration.model_copy(update={"writers": writers}))
        if frames is not None:
            self._opened(frames, handle)
        elif handle is not None:
            self._writer.handles[NEWEST].file.append(handle)
            self._note_accepted()

    def _opened(self, frames: int, handle: PendingHandle | None) -> None:
        """The data plane has opened the gate; one that follows series waits for those."""
        if not self._writer.configuration.follow_series:
            self._board.show_gate(True)
        if handle is not None:
            handles = self._writer.handles[NEWEST]
            (handles.gate if frames else handles.images).append(handle)
            self._note_accepted()

    def _note_accepted(self) -> None:
        acquisition_id = self._writer.newest.acquisition_id
        self._writer.note_start(StartResult.ACCEPTED, f"accepted {acquisition_id}", acquisition_id)

    def _check_previous(self, subject: str) -> None:
        """Refuse a third acquisition while the one before the newest is still flushed."""
        if reason := still_written(self._board.acquisition(PREVIOUS)):
            raise Refused(subject, f"{reason}; wait until it is closed")
