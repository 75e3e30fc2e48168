"""The service: the engine in this process (fills `protocol.Engine`)."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from repstream.dataplane import control
from repstream.errors import EngineFault, RepstreamError, Unanswered
from repstream.files.paths import resolve_roots
from repstream.lifetime import Running
from repstream.link.chronicle import EngineLog
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Registration
from repstream.parameters import slots
from repstream.parameters.catalogue import Catalogue, Group, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Value
from repstream.protocol import Event, Reading, Requester, Snapshot
from repstream.service.acquisitions import Preparation
from repstream.service.commands import Commands
from repstream.service.configuring import Configurator
from repstream.service.context import ServiceContext
from repstream.service.control_lock import ControlLock
from repstream.service.kind import REPEATER_ENGINE, EngineKind
from repstream.service.options import ServiceOptions
from repstream.service.pulse import LOOK_INTERVAL
from repstream.service.receivers.plane import Receivers
from repstream.service.repeater import Death, Repeater
from repstream.service.settings import Settings
from repstream.service.supervisor import Plane
from repstream.service.writers import Writer
from repstream.tracing import Call
from repstream.version import __version__

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK = 1.0
"""Seconds between heartbeats and looks at the folders."""


class Service(Running):
    """One engine of a kind. `start` it before use; `close` ends its data plane and its threads."""

    def __init__(
        self, options: ServiceOptions, plane: Plane | None = None, kind: EngineKind = REPEATER_ENGINE
    ) -> None:
        kind.check()
        self._options = options
        self._kind = kind
        self._roots = resolve_roots([str(root) for root in options.roots])
        wanted = {Group.STREAM: options.max_streams, Group.WRITER: options.max_writers}
        self._catalogue = build(kind.groups, {group: n for group, n in wanted.items() if n is not None})
        self._settings = None if options.settings is None else Settings(options.settings, self._on_unsaved)
        try:
            configuration = slots.assign(self._initial(), self._catalogue)
        except BaseException:
            self._release_settings()
            raise
        keep = (lambda _: None) if self._settings is None else self._settings.keep
        starts = None if self._settings is None else self._settings.starts
        self._context = ServiceContext(
            self._catalogue,
            configuration,
            plane or Receivers(kind.configuration, starts, options.plane_patience),
            options.name,
            keep,
        )
        self._lock = ControlLock(lambda: self._context.configuration.engine.lock_timeout)
        self._repeater = Repeater(self._context, self._take)
        preparation = Preparation(options.name, self._roots, options.user_ids)
        self._writers = {
            slot: Writer(self._context, self._repeater, slot, preparation)
            for slot in self._catalogue.slots(Group.WRITER)
        }
        self._configurator = Configurator(
            self._context,
            self._roots,
            options.user_ids,
            options.settings,
            lambda slot: self._writers[slot].may_begin,
        )
        self._keepers = {group: make(self._context, options) for group, make in kind.keepers.items()}
        self._commands = Commands(
            self._context,
            self._lock,
            repeater=self._repeater,
            writers=self._writers,
            configurator=self._configurator,
            keepers=self._keepers,
        )
        self._log: EngineLog | None = None
        self._started = time.monotonic()

    # --- life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads and the data plane; the repeater is INITIALIZED then."""
        self._context.publisher.start()
        self._log = EngineLog(self, self._options.name)
        self._context.owner.start()
        self._context.owner.run(self._begin())

    def close(self) -> None:
        """End acquisitions as interrupted, end the data plane, save, end the threads."""
        for keeper in self._keepers.values():
            keeper.close()
        self._context.asking.plane.close()
        self._context.owner.close()
        self._release_settings()
        self._context.publisher.close()
        if self._log is not None:
            self._log.close()

    async def _begin(self) -> None:
        with self._context.changing_engine() as engine:
            engine.name, engine.version, engine.host = self._options.name, __version__, platform.node()
            engine.roots = os.pathsep.join(map(str, self._roots))
            engine.config_file = str(self._options.settings or "")
        self._context.put(self._context.configured_values())
        await self._commands.initialize()
        for keeper in self._keepers.values():
            keeper.start()
        self._context.owner.spawn(self._every(TICK, self._tick))
        self._context.owner.spawn(self._every(LOOK_INTERVAL, self._repeater.look_at_plane))

    # --- protocol.Engine ------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def snapshot(self) -> Snapshot:
        return self._context.board.snapshot()

    def read(self, key: str) -> Reading:
        reading = self._context.board.reading(slots.key_with_slot(self._context.configuration, key))
        if reading is None:
            raise slots.no_such(self._context.configuration, key, "parameter", self._catalogue.parameters)
        return reading

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        what = ", ".join(f"{key} = {value!r:.60}" for key, value in values.items())
        request = self._write(values, requester)
        with _traced("write", what, requester) as call:
            self._context.owner.run(self._requested(", ".join(values), f"write {what}", requester, request))
            call.done()

    def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        name = slots.key_with_name(self._context.configuration, command)
        request = self._commands.execute(command, argument, requester)
        with _traced(name, "", requester) as call:
            handle = self._context.owner.run(self._requested(name, name, requester, request))
            handle.on_done(call.ended)
        return handle

    def subscribe(self, callback: Callable[[Event], None]) -> Registration:
        return self._context.publisher.subscribe(callback)

    # --- requests -------------------------------------------------------------------------

    async def _requested(
        self, subject: str, what: str, requester: Requester, request: Coroutine[Any, Any, T]
    ) -> T:
        """What a request gives, with what became of it put and in the log.

        Any error that is not raised on purpose becomes an `EngineFault`.
        """
        try:
            result = await self._context.turn.in_time(subject, request, lambda: self._repeater.stall)
        except RepstreamError as error:
            said = str(error)
            self._note_command(
                said if said.startswith(what) else f"{what}: {said}", requester, logging.WARNING
            )
            if isinstance(error, Unanswered):
                self._commands.note_unanswered(subject, str(error))
            raise
        except Exception as error:
            log.exception("%s failed", what)
            fault = EngineFault(subject, f"a fault of the engine, its log has the details: {error!r}")
            self._note_command(f"{what}: {fault}", requester, logging.ERROR)
            raise fault from error
        self._note_command(what, requester, logging.INFO)
        return result

    async def _write(self, values: Mapping[str, Value], requester: Requester) -> None:
        async with self._context.turn(", ".join(values)):
            for key in values:
                self._lock.check(key, requester)
            await self._configurator.write(values)

    def _note_command(self, what: str, requester: Requester, level: int) -> None:
        log.log(level, "%s: %s", requester, what)
        with self._context.changing_engine() as engine:
            engine.last_command, engine.last_command_by = what[:255], str(requester)

    # --- what the data plane says, and the time -------------------------------------------

    def _take(self, notice: control.Notice | Death) -> None:
        with self._context.board.together():
            self._heard(notice)

    def _heard(self, notice: control.Notice | Death) -> None:
        if not isinstance(notice, Death):
            self._repeater.on_sign_of_life()
            for keeper in self._keepers.values():
                keeper.hear(notice)
        match notice:
            case control.Answer():
                self._context.asking.on_answer(notice)
            case control.Report():
                self._on_report(notice)
            case control.AcquisitionNotice():
                self._writers[notice.slot].on_notice(notice)
                self._repeater.describe()
            case control.GateNotice():
                self._writers[notice.slot].on_gate(notice)
            case control.Adopted():
                for slot, told in notice.acquisitions.items():
                    self._writers[slot].on_adopted(told, is_open=slot in notice.gates)
                self._repeater.on_adopted(notice)
            case control.Closed():
                self._on_report(notice.report)
                self._repeater.on_closed(notice)
            case control.Note():
                self._on_note(notice)
            case Death():
                self._context.asking.on_death(notice.reason)
                reason = self._repeater.death_of(notice.reason)
                self._repeater.on_death(reason)
                for writer in self._writers.values():
                    writer.on_lost(reason)

    def _on_note(self, note: control.Note) -> None:
        if note.level >= logging.ERROR:
            self._context.note_error(note.message)
        else:
            log.log(note.level, note.message)

    def _on_report(self, report: control.Report) -> None:
        found: dict[str, Value] = {}
        for slot, counted in (*report.behind.items(), *report.writers.items()):
            found |= self._writers[slot].counted(counted, report.clock)
        self._repeater.on_report(report, found)
        for slot in report.writers:
            self._writers[slot].on_report()

    async def _every(self, seconds: float, function: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                function()
            except Exception:  # the next time may do
                log.exception("a fault of the engine")

    def _tick(self) -> None:
        with self._context.changing_engine() as engine:
            engine.heartbeat = (engine.heartbeat + 1) % 2**31
            engine.uptime = round(time.monotonic() - self._started, 1)
            engine.losing = self._repeater.losing
            engine.locked_by = self._lock.owner
        for writer in self._writers.values():
            self._context.owner.spawn(writer.look_at_folder())
            writer.tick()
        for keeper in self._keepers.values():
            keeper.tick()

    def _initial(self) -> Configuration:
        kept = None if self._settings is None else self._settings.load(self._kind.configuration)
        return kept or self._options.configuration or self._kind.configuration()

    def _release_settings(self) -> None:
        if self._settings is not None:
            self._settings.close()

    def _on_unsaved(self, reason: str) -> None:
        self._context.owner.post(self._context.note_error, reason)


@contextmanager
def _traced(name: str, what: str, requester: Requester) -> Iterator[Call]:
    """A call that is failed where it is refused."""
    about = {"front_end": requester.front_end, "user": requester.user, "host": requester.host, "values": what}
    call = Call(name, about)
    try:
        yield call
    except RepstreamError as error:
        call.failed(error)
        raise
