"""The service: the engine in this process (fills `protocol.Engine`)."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from repstream import states
from repstream.dataplane import control
from repstream.errors import EngineFault, InvalidValue, Refused, RepstreamError, Unanswered, UnknownKey
from repstream.files.paths import resolve_roots
from repstream.link.handles import PendingHandle
from repstream.link.publisher import Registration
from repstream.parameters import slots
from repstream.parameters.catalogue import Catalogue, Command, Group, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Kind, Value
from repstream.protocol import Event, Reading, Requester, Snapshot
from repstream.service.acquisitions import Preparation
from repstream.service.configuring import Configurator
from repstream.service.control_lock import ControlLock
from repstream.service.core import Core
from repstream.service.options import ServiceOptions
from repstream.service.pictures import PictureKeeper
from repstream.service.pulse import LOOK_INTERVAL
from repstream.service.repeater import Death, Repeater
from repstream.service.settings import Settings
from repstream.service.supervisor import Plane, ProcessPlane
from repstream.service.writers import Writer
from repstream.states import REPEATER, StartResult, after
from repstream.version import __version__

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK = 1.0
"""Seconds between heartbeats and looks at the folders."""


class Service:
    """One engine. `start` it before use; `close` ends its data plane and its threads."""

    def __init__(self, options: ServiceOptions, plane: Plane | None = None) -> None:
        self._options = options
        self._roots = resolve_roots([str(root) for root in options.roots])
        self._catalogue = build(slots={Group.STREAM: options.max_streams, Group.WRITER: options.max_writers})
        self._settings = None if options.settings is None else Settings(options.settings, self._on_unsaved)
        try:
            configuration = slots.assign(self._initial(), self._catalogue)
        except BaseException:
            self._release_settings()
            raise
        keep = (lambda _: None) if self._settings is None else self._settings.keep
        self._core = Core(self._catalogue, configuration, plane or ProcessPlane(), options.name, keep)
        self._lock = ControlLock(lambda: self._core.configuration.engine.lock_timeout)
        self._repeater = Repeater(self._core, self._take)
        preparation = Preparation(options.name, self._roots)
        self._writers = {
            slot: Writer(self._core, self._repeater, slot, preparation)
            for slot in self._catalogue.slots(Group.WRITER)
        }
        self._configurator = Configurator(
            self._core, self._roots, options.settings, lambda slot: self._writers[slot].may_begin
        )
        self._pictures = PictureKeeper(self._core, options.pictures_address)
        self._started = time.monotonic()

    # --- life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads and the data plane; the repeater is INITIALIZED then."""
        self._core.publisher.start()
        self._core.owner.start()
        self._core.owner.run(self._begin())

    def close(self) -> None:
        """End acquisitions as interrupted, end the data plane, save, end the threads."""
        self._pictures.close()
        self._core.asking.plane.close()
        self._core.owner.close()
        self._release_settings()
        self._core.publisher.close()

    async def _begin(self) -> None:
        self._core.put(
            {
                "engine.name": self._options.name,
                "engine.version": __version__,
                "engine.host": platform.node(),
                "engine.roots": os.pathsep.join(map(str, self._roots)),
                "engine.config_file": str(self._options.settings or ""),
            }
        )
        self._core.put(self._core.configured_values())
        await self._initialize()
        self._pictures.start()
        self._core.owner.spawn(self._every(TICK, self._tick))
        self._core.owner.spawn(self._every(LOOK_INTERVAL, self._repeater.look_at_plane))

    # --- protocol.Engine ------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def snapshot(self) -> Snapshot:
        return self._core.board.snapshot()

    def read(self, key: str) -> Reading:
        reading = self._core.board.reading(slots.key_with_slot(self._core.configuration, key))
        if reading is None:
            raise UnknownKey(key, "there is no such parameter; the catalogue lists them")
        return reading

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        what = ", ".join(f"{key} = {value!r:.60}" for key, value in values.items())
        request = self._write(values, requester)
        self._core.owner.run(self._requested(", ".join(values), f"write {what}", requester, request))

    def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        name = slots.key_with_name(self._core.configuration, command)
        request = self._execute(command, argument, requester)
        return self._core.owner.run(self._requested(name, name, requester, request))

    def subscribe(self, callback: Callable[[Event], None]) -> Registration:
        return self._core.publisher.subscribe(callback)

    # --- requests -------------------------------------------------------------------------

    async def _requested(
        self, subject: str, what: str, requester: Requester, request: Coroutine[Any, Any, T]
    ) -> T:
        """What a request gives, with what became of it put and in the log.

        Any error that is not raised on purpose becomes an `EngineFault`.
        """
        try:
            result = await self._core.turn.in_time(subject, request, lambda: self._repeater.stall)
        except RepstreamError as error:
            self._note_command(f"{what}: {error}", requester, logging.WARNING)
            if isinstance(error, Unanswered) and (writer := self._starting(subject)) is not None:
                writer.note_start(StartResult.UNKNOWN, str(error))
            raise
        except Exception as error:
            log.exception("%s failed", what)
            fault = EngineFault(subject, f"a fault of the engine, its log has the details: {error!r}")
            self._note_command(f"{what}: {fault}", requester, logging.ERROR)
            raise fault from error
        self._note_command(what, requester, logging.INFO)
        return result

    async def _write(self, values: Mapping[str, Value], requester: Requester) -> None:
        async with self._core.turn(", ".join(values)):
            for key in values:
                self._lock.check(key, requester)
            await self._configurator.write(values)

    async def _execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        record = self._command(command)
        name = slots.key_with_name(self._core.configuration, record.key)
        starting = self._starting(record.key)
        try:
            if record.name not in ("stop", "unlock"):
                self._lock.check(name, requester)
            given = _argument(record, name, argument)
            handle = self._core.begin(record.key)
            if record.group == Group.WRITER:
                await self._do_writer(record, given, requester, handle)
            else:
                await self._do_engine(record, given, requester, handle)
        except Exception as error:
            if starting is not None:
                refused = isinstance(error, Refused)
                starting.note_start(StartResult.REFUSED if refused else StartResult.FAILED, str(error))
            raise
        if not record.waits:
            self._core.end([handle], True, "done")
        return handle

    def _starting(self, key: str) -> Writer | None:
        """The writer that a command is to start, or to arm."""
        record = self._catalogue.commands.get(slots.key_with_slot(self._core.configuration, key))
        starts = record is not None and record.group == Group.WRITER and record.name in ("arm", "start")
        return self._writers[record.slot] if record is not None and starts else None

    def _command(self, given: str) -> Command:
        key = slots.key_with_slot(self._core.configuration, given)
        if (record := self._catalogue.commands.get(key)) is None:
            raise UnknownKey(given, "there is no such command; the catalogue lists them")
        return record

    async def _do_engine(
        self, record: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        text, repeater, configurator = str(argument or ""), self._repeater, self._configurator
        match record.name:
            case "stop":
                async with self._core.turn(record.key):
                    await repeater.stop(handle)
            case "save_config":
                await configurator.save(text, record.key)
            case "lock":
                self._lock.take(requester, text)
                self._put_lock()
            case "unlock":
                self._lock.give_back(requester, text)
                self._put_lock()
            case "load_config":
                file, loaded = await configurator.read(text, record.key)
                async with repeater.turn(record.key):
                    after(REPEATER, repeater.state, record.name, record.key)
                    await configurator.replace(loaded, record.key)
                    configurator.note_file(file)
                    await self._configured(record.name)
            case "reset":
                await repeater.give_up()
                async with repeater.turn(record.key):
                    await repeater.reset()
                    self._found()
            case _:
                async with repeater.turn(record.key):
                    await self._do_at_rest(record, text, handle)

    async def _do_at_rest(self, record: Command, text: str, handle: PendingHandle) -> None:
        """Commands that want all that was received before to be sent and written."""
        match record.name:
            case "initialize":
                await self._initialize()
            case "start":
                await self._repeater.start()
                self._found()
                self._core.end([handle], True, "running")
            case "configure":
                after(REPEATER, self._repeater.state, record.name, record.key)
                await self._configurator.configure(text, record.key)
                await self._configured(record.name)

    async def _do_writer(
        self, record: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        writer = self._writers[record.slot]
        if writer.name is None:
            raise Refused(record.key, "there is no writer in this slot; configure adds one")
        match record.name:
            case "arm":
                await writer.arm(handle, requester)
            case "start":
                await writer.start(handle, requester, int(argument or 0))
            case "stop" | "abort":
                async with self._core.turn(record.key):
                    await writer.end(handle, discard=record.name == "abort")
                    self._found()
            case "flush":
                async with self._core.turn(record.key):
                    await writer.flush()

    async def _initialize(self) -> None:
        await self._repeater.initialize()
        self._found()

    async def _configured(self, command: str) -> None:
        if not states.is_open(self._repeater.state):
            await self._repeater.follow(command)
            self._found()

    def _found(self) -> None:
        if self._core.asking.pulse.lives:
            for writer in self._writers.values():
                writer.on_found()

    def _put_lock(self) -> None:
        self._core.put({"engine.locked_by": self._lock.owner})

    def _note_command(self, what: str, requester: Requester, level: int) -> None:
        log.log(level, "%s: %s", requester, what)
        self._core.put({"engine.last_command": what[:255], "engine.last_command_by": str(requester)})

    # --- what the data plane says, and the time -------------------------------------------

    def _take(self, notice: control.Notice | Death) -> None:
        with self._core.board.together():
            self._heard(notice)

    def _heard(self, notice: control.Notice | Death) -> None:
        if not isinstance(notice, Death):
            self._repeater.on_sign_of_life()
        match notice:
            case control.Answer():
                self._core.asking.on_answer(notice)
            case control.Report():
                self._on_report(notice)
            case control.AcquisitionNotice():
                self._writers[notice.slot].on_notice(notice)
                self._repeater.describe()
            case control.GateNotice():
                self._writers[notice.slot].on_gate(notice)
            case control.Closed():
                self._on_report(notice.report)
                self._repeater.on_closed(notice)
            case control.Note():
                log.log(notice.level, notice.message)
            case Death():
                self._core.asking.on_death(notice.reason)
                reason = self._repeater.death_of(notice.reason)
                self._repeater.on_death(reason)
                for writer in self._writers.values():
                    writer.on_lost(reason)

    def _on_report(self, report: control.Report) -> None:
        found: dict[str, Value] = {}
        for slot, told in (*report.behind.items(), *report.writers.items()):
            found |= self._writers[slot].told(told, report.time)
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
        beat = int(self._core.board.values["engine.heartbeat"] or 0) + 1
        self._core.put(
            {
                "engine.heartbeat": beat % 2**31,
                "engine.uptime": round(time.monotonic() - self._started, 1),
                "engine.losing": self._repeater.losing,
            }
        )
        self._put_lock()
        for writer in self._writers.values():
            self._core.owner.spawn(writer.look_at_folder())
            writer.tick()

    def _initial(self) -> Configuration:
        kept = None if self._settings is None else self._settings.load()
        return kept or self._options.configuration or Configuration()

    def _release_settings(self) -> None:
        if self._settings is not None:
            self._settings.close()

    def _on_unsaved(self, reason: str) -> None:
        self._core.owner.post(self._core.note_error, reason)


def _argument(record: Command, name: str, given: Value) -> Value:
    """The argument as the command declares it; raises `InvalidValue`."""
    declared = record.argument
    if declared is None:
        if given is not None:
            raise InvalidValue(name, f"takes no argument, but was given {given!r}")
        return None
    if given is None or given == "":
        if declared.optional:
            return None
        raise InvalidValue(name, f"needs an argument: {declared.text}")
    if declared.kind is Kind.INT:
        if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
            raise InvalidValue(name, f"needs a whole number, not {given!r}")
        if declared.minimum is not None and not declared.minimum <= given <= (declared.maximum or given):
            raise InvalidValue(
                name, f"needs a number from {declared.minimum:.0f} to {declared.maximum:.0f}, not {given!r}"
            )
        return int(given)
    if not isinstance(given, str):
        raise InvalidValue(name, f"needs a text, not {given!r}")
    return given
