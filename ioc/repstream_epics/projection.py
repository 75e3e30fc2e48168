"""The catalogue of one engine as PVs: made once, by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Access, Kind, Value
from repstream.protocol import Requester
from repstream_epics import names, types
from repstream_epics.channels import (
    Channel,
    DoubleChannel,
    EnumChannel,
    Head,
    LongChannel,
    Put,
    Raw,
    TextChannel,
)
from repstream_epics.refusal import CmdStatus, WriteStatus
from repstream_epics.states import NO_ALARM, NO_VALUE, REFUSED_WRITE, alarm_of
from repstream_epics.types import Record

OFF_ON = ("Off", "On")
MESSAGE_LENGTH = 1024
READABLE_LENGTH = 32
PRECISION = 3


@dataclass(frozen=True)
class ParameterPVs:
    """The PVs of one parameter: readback, setpoint where it may be written, a text beside some numbers."""

    parameter: Parameter
    readback: Channel
    setpoint: Channel | None
    text: Channel | None

    async def show(self, value: Value, time: float, losing: bool = False) -> None:
        """Publish a value; `losing` as in `states.alarm_of`."""
        alarm = alarm_of(self.parameter, value, losing)
        shown = types.to_pv(self.parameter, value)
        await self.readback.show(shown, alarm, time)
        if self.text is not None:
            await self.text.show(self.parameter.readable(value), alarm, time)
        if self.setpoint is not None:
            await self.setpoint.show(shown, NO_VALUE if value is None else NO_ALARM, time)

    async def answer(self, taken: bool, time: float) -> None:
        """After a put: the setpoint shows the value held, with an alarm if the put was refused."""
        if self.setpoint is not None:
            held = self.readback.value
            nothing = self.readback.alarm.status == NO_VALUE[0]
            alarm = (NO_VALUE if nothing else NO_ALARM) if taken else REFUSED_WRITE
            await self.setpoint.show(held, alarm, time, again=True)


@dataclass
class CommandPVs:
    """The PVs of one command: its button, and the argument where it takes one."""

    command: Command
    button: Channel
    argument: Channel | None
    pending: int = field(default=0)

    def given(self) -> Value:
        """The argument for the next command; `None` where it is left out."""
        declared = self.command.argument
        if self.argument is None or declared is None:
            return None
        value: Value = types.from_pv(declared, self.argument.value)
        return None if value == "" and declared.optional else value


@dataclass(frozen=True)
class ReportPVs:
    """What became of the last request: status, and why; the engine's has the name of the request as well."""

    status: Channel
    message: Channel
    name: Channel | None = None


class Handlers(Protocol):
    """What clients ask for; False where it was not taken (see `requests.py`)."""

    async def put(self, pvs: ParameterPVs, raw: Raw, requester: Requester) -> bool: ...
    async def press(self, pvs: CommandPVs, raw: Raw, requester: Requester) -> bool: ...
    async def argue(self, pvs: CommandPVs, raw: Raw, requester: Requester) -> bool: ...


class View:
    """All PVs of one engine.

    `channels` are by full PV name, `parameters` and `commands` by key, `reports` by (group, slot).
    Raises `ValueError` for names that collide or are too long, and for parameters that Channel Access
    cannot carry.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, handlers: Handlers) -> None:
        self.channels: dict[str, Channel] = {}
        self._prefix = prefix
        self._handlers = handlers
        self.catalogue = catalogue
        self.parameters = {p.key: self._parameter(p) for p in catalogue.parameters.values()}
        self.commands = {c.key: self._command(c) for c in catalogue.commands.values()}
        self.reports: dict[tuple[str, int], ReportPVs] = {(Group.ENGINE, 0): self._engine_report()}
        for slot in catalogue.slots(Group.WRITER):
            self.reports[Group.WRITER, slot] = self._writer_report(slot)

    def reports_of(self, item: Parameter | Command) -> Iterator[ReportPVs]:
        """Where the outcome of a request for `item` is shown."""
        yield self.reports[Group.ENGINE, 0]
        if item.group == Group.WRITER:
            yield self.reports[item.group, item.slot]

    def _add(self, name: str, make: Callable[[str], Channel]) -> Channel:
        full = names.check(self._prefix + name)
        if full in self.channels:
            raise ValueError(f"PV name {full} would stand for two things")
        channel = self.channels[full] = make(full)
        return channel

    def _parameter(self, parameter: Parameter) -> ParameterPVs:
        made: list[ParameterPVs] = []

        async def put(raw: Raw, requester: Requester) -> bool:
            return await self._handlers.put(made[0], raw, requester)

        readback = self._add(names.readback(parameter), lambda name: _value_channel(name, parameter, None))
        setpoint = text = None
        if parameter.writable:
            setpoint = self._add(names.setpoint(parameter), lambda name: _value_channel(name, parameter, put))
        if types.needs_text(parameter):
            text = self._add(
                names.text_of(parameter), lambda name: _text(name, parameter.title, READABLE_LENGTH)
            )
        made.append(ParameterPVs(parameter, readback, setpoint, text))
        return made[0]

    def _command(self, command: Command) -> CommandPVs:
        made: list[CommandPVs] = []

        async def press(raw: Raw, requester: Requester) -> bool:
            return await self._handlers.press(made[0], raw, requester)

        async def argue(raw: Raw, requester: Requester) -> bool:
            return await self._handlers.argue(made[0], raw, requester)

        button = self._add(
            names.setpoint(command), lambda name: EnumChannel(Head(name, "bo", command.title, press), OFF_ON)
        )
        argument = None
        if command.argument is not None:
            declared = command.argument
            name = names.argument(command)
            argument = self._add(name, lambda full: _argument_channel(full, command.title, declared, argue))
        made.append(CommandPVs(command, button, argument))
        return made[0]

    def _engine_report(self) -> ReportPVs:
        return ReportPVs(
            self._enum("CmdStatus_RBV", "What became of the last request here.", tuple(CmdStatus)),
            self._add("CmdMsg_RBV", lambda name: _text(name, "Why, for people.", MESSAGE_LENGTH)),
            self._add("CmdName_RBV", lambda name: _text(name, "PV of the last request.", names.LONGEST)),
        )

    def _writer_report(self, slot: int) -> ReportPVs:
        head = names.head(Group.WRITER, slot)
        return ReportPVs(
            self._enum(f"{head}WriteStatus_RBV", "Last request here and acquisition.", tuple(WriteStatus)),
            self._add(f"{head}WriteMsg_RBV", lambda name: _text(name, "Why, for people.", MESSAGE_LENGTH)),
        )

    def _enum(self, name: str, text: str, strings: tuple[str, ...]) -> Channel:
        return self._add(name, lambda full: EnumChannel(Head(full, "mbbi", text), [str(s) for s in strings]))


def _text(name: str, text: str, length: int) -> Channel:
    return TextChannel(Head(name, Record.TEXT.value[0], text), length)


def _value_channel(name: str, parameter: Parameter, put: Put | None) -> Channel:
    record = types.record_of(parameter)
    head = Head(name, record.value[0 if put is None else 1], parameter.title, put, parameter.unit)
    match record:
        case Record.SWITCH | Record.CHOICE:
            return EnumChannel(head, types.choices(parameter))
        case Record.TEXT:
            return TextChannel(head, parameter.length)
        case Record.LONG:
            return LongChannel(head, types.limits(parameter), parameter.alarm)
        case Record.DOUBLE:
            precision = PRECISION if parameter.kind is Kind.FLOAT else 0
            return DoubleChannel(head, types.limits(parameter), parameter.alarm, precision)
        case _ as never:
            assert_never(never)


def _argument_channel(name: str, title: str, argument: Argument, put: Put) -> Channel:
    """An argument as the parameter it would be."""
    return _value_channel(
        name,
        Parameter(
            key=name,
            group=Group.ENGINE,
            slot=0,
            field="argument",
            kind=argument.kind,
            access=Access.ALWAYS,
            title=f"{title}: argument",
            text=argument.text,
            minimum=argument.minimum,
            maximum=argument.maximum,
            length=types.ARGUMENT_LENGTH,
        ),
        put,
    )
