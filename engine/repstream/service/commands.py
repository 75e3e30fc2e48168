"""Giving commands: who may, which argument, in whose turn, and what the engine does then."""

from __future__ import annotations

from collections.abc import Mapping

from repstream import states
from repstream.errors import InvalidValue, Refused
from repstream.link.handles import PendingHandle
from repstream.parameters import slots
from repstream.parameters.catalogue import Command, Group
from repstream.parameters.facts import Kind, Value
from repstream.protocol import Requester
from repstream.service.configuring import Configurator
from repstream.service.context import ServiceContext
from repstream.service.control_lock import ControlLock
from repstream.service.keeper import Keeper
from repstream.service.repeater import Repeater
from repstream.service.writers import Writer
from repstream.states import REPEATER, StartResult, after


class Commands:
    """The commands of the engine, its writers and its other groups; used in the owner's thread."""

    def __init__(
        self,
        context: ServiceContext,
        lock: ControlLock,
        *,
        repeater: Repeater,
        writers: Mapping[int, Writer],
        configurator: Configurator,
        keepers: Mapping[str, Keeper],
    ) -> None:
        self._context = context
        self._lock = lock
        self._repeater = repeater
        self._writers = writers
        self._configurator = configurator
        self._keepers = keepers

    async def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        """Give a command; raises `Refused` or `EngineFault`. What was asked for is in force then."""
        record = self._command(command)
        name = slots.key_with_name(self._context.configuration, record.key)
        starting = self._starting(record.key)
        try:
            if record.name not in ("stop", "unlock"):
                self._lock.check(name, requester)
            given = _argument(record, name, argument)
            handle = self._context.begin(record.key)
            if record.group == Group.WRITER:
                await self._do_writer(record, given, requester, handle)
            elif record.group == Group.ENGINE:
                await self._do_engine(record, given, requester, handle)
            else:
                async with self._context.turn(name):
                    await self._keepers[record.group].execute(record, given, requester, handle)
        except Exception as error:
            if starting is not None:
                refused = isinstance(error, Refused)
                starting.note_start(StartResult.REFUSED if refused else StartResult.FAILED, str(error))
            raise
        if not record.waits:
            self._context.end([handle], True, "done")
        return handle

    def note_unanswered(self, command: str, message: str) -> None:
        """Whoever gave a command has gone on before its end was known."""
        if (writer := self._starting(command)) is not None:
            writer.note_start(StartResult.UNKNOWN, message)

    def _starting(self, key: str) -> Writer | None:
        """The writer that a command is to start, or to arm."""
        record = self._context.catalogue.commands.get(slots.key_with_slot(self._context.configuration, key))
        starts = record is not None and record.group == Group.WRITER and record.name in ("arm", "start")
        return self._writers[record.slot] if record is not None and starts else None

    def _command(self, given: str) -> Command:
        key = slots.key_with_slot(self._context.configuration, given)
        if (record := self._context.catalogue.commands.get(key)) is None:
            raise slots.no_such(
                self._context.configuration, given, "command", self._context.catalogue.commands
            )
        return record

    async def _do_engine(
        self, record: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        text, repeater, configurator = str(argument or ""), self._repeater, self._configurator
        match record.name:
            case "stop":
                async with self._context.turn(record.key):
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
                await self.initialize()
            case "start":
                await self._repeater.start()
                self._found()
                self._context.end([handle], True, "running")
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
        subject = slots.key_with_name(self._context.configuration, record.key)
        match record.name:
            case "arm":
                await writer.arm(handle, requester)
            case "start":
                await writer.start(handle, requester, int(argument or 0))
            case "stop" | "abort":
                async with self._context.turn(subject):
                    await writer.end(handle, discard=record.name == "abort")
                    self._found()
            case "pause":
                async with self._context.turn(subject):
                    await writer.pause()
            case "flush":
                async with self._context.turn(subject):
                    await writer.flush()

    async def initialize(self) -> None:
        """Have a data plane ready, and whatever was lost with the last one found again."""
        await self._repeater.initialize()
        self._found()

    async def _configured(self, command: str) -> None:
        if not states.is_open(self._repeater.state):
            await self._repeater.follow(command)
            self._found()

    def _found(self) -> None:
        if self._context.asking.pulse.lives:
            for writer in self._writers.values():
                writer.on_found()

    def _put_lock(self) -> None:
        with self._context.changing_engine() as engine:
            engine.locked_by = self._lock.owner


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
        raise InvalidValue(name, f"needs text, not {given!r}")
    return given
