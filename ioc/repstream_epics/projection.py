"""The catalogue of one engine as PVs: made once, by rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Access, Kind, Role
from repstream_epics import directory, log, names, types
from repstream_epics.channels import (
    Channel,
    DoubleChannel,
    EnumChannel,
    Head,
    LongChannel,
    NumberChannel,
    Put,
    TextChannel,
)
from repstream_epics.levels import FIELDS, KEPT, LevelBook, LevelControl
from repstream_epics.pvs import (
    MESSAGE_LENGTH,
    OFF_ON,
    ArgumentControl,
    CommandPVs,
    FollowedReport,
    ParameterPVs,
    ReportPVs,
)
from repstream_epics.refusal import CmdStatus, WriteStatus
from repstream_epics.types import Record
from repstream_epics.view import Binding, Control, ControlPut, Handlers

READABLE_LENGTH = 32
PRECISION = 3


class CatalogueView:
    """All parameters and commands as PVs of their own names; fills `view.View`.

    `parameters` and `commands` are by key. Raises `ValueError` for names that collide or are too long, and
    for parameters that Channel Access cannot carry.
    """

    def __init__(self, catalogue: Catalogue, prefix: str, handlers: Handlers) -> None:
        self.channels: dict[str, Channel] = {}
        self._prefix = prefix
        self._handlers = handlers
        self._catalogue = catalogue
        self._reports: dict[tuple[str, int], ReportPVs] = {(Group.ENGINE, 0): self._engine_report()}
        for slot in catalogue.slots(Group.WRITER):
            self._reports[Group.WRITER, slot] = self._writer_report(slot)
        directory_channel = self._add(
            directory.NAME, lambda name: _text(name, directory.TITLE, directory.LENGTH)
        )
        self._directory = directory.DirectoryPV(catalogue, prefix, directory_channel)
        lines = {
            name: self._add(name, partial(_text, text=title, length=log.LENGTH))
            for name, (_, title) in log.NAMES.items()
        }
        put = self._put_of(lambda: self._log)
        lines[log.FILTER] = self._add(
            log.FILTER, lambda name: _text(name, log.FILTER_TITLE, log.FILTER_LENGTH, put)
        )
        self._log = log.LogPVs(catalogue, lines, self._reports[Group.ENGINE, 0])
        self.parameters: dict[str, ParameterPVs] = {}
        self._levels = LevelBook(catalogue.parameters, self.parameters.get)
        for parameter in catalogue.parameters.values():
            self.parameters[parameter.key] = self._parameter(parameter)
        self.commands = {c.key: self._command(c) for c in catalogue.commands.values()}

    @property
    def bindings(self) -> Sequence[Binding]:
        roles = (Role.ACQUISITION, Role.RESULT, Role.OUTCOME)
        followed = (
            FollowedReport(
                self._reports[Group.WRITER, slot],
                *(self._catalogue.key(role, Group.WRITER, slot) for role in roles),
            )
            for slot in self._catalogue.slots(Group.WRITER)
        )
        levels = (self._levels,) if KEPT in self._catalogue.parameters else ()
        return (*levels, *self.parameters.values(), self._directory, self._log, *followed)

    def close(self) -> None:
        """It holds nothing else."""

    def _reports_of(self, item: Parameter | Command) -> Sequence[ReportPVs]:
        """Where the outcome of a request for `item` is shown."""
        owners = dict.fromkeys(((Group.ENGINE, 0), (item.group, item.slot)))
        return [self._reports[owner] for owner in owners if owner in self._reports]

    def _put_of(self, control: Callable[[], Control]) -> Put:
        return ControlPut(self._handlers, control)

    def _add(self, name: str, make: Callable[[str], Channel]) -> Channel:
        full = names.check(self._prefix + name)
        if full in self.channels:
            raise ValueError(f"PV name {full} would stand for two things")
        channel = self.channels[full] = make(full)
        return channel

    def _parameter(self, parameter: Parameter) -> ParameterPVs:
        put = self._put_of(lambda: self.parameters[parameter.key])
        readback = self._add(names.readback(parameter), lambda name: _value_channel(name, parameter, None))
        if isinstance(readback, NumberChannel) and KEPT in self._catalogue.parameters:
            self._levels.channels[parameter.key] = readback
            readback.level_puts = {
                name: self._put_of(partial(LevelControl, self._levels, parameter, name)) for name in FIELDS
            }
        setpoint = text = None
        if parameter.writable:
            setpoint = self._add(names.setpoint(parameter), lambda name: _value_channel(name, parameter, put))
        if types.needs_text(parameter):
            text = self._add(
                names.text_of(parameter), lambda name: _text(name, parameter.title, READABLE_LENGTH)
            )
        losing = None
        if parameter.role is Role.STATE and parameter.group == Group.ENGINE:
            losing = self._catalogue.key(Role.LOSING, Group.ENGINE)
        return ParameterPVs(
            parameter, self._reports_of(parameter), readback, setpoint, text, losing, self._levels
        )

    def _command(self, command: Command) -> CommandPVs:
        press = self._put_of(lambda: self.commands[command.key])
        button = self._add(
            names.setpoint(command), lambda name: EnumChannel(Head(name, "bo", command.title, press), OFF_ON)
        )
        declared, argument = command.argument, None
        if declared is not None:
            control = list[ArgumentControl]()
            argue = self._put_of(lambda: control[0])
            argument = self._add(
                names.argument(command), lambda name: _argument_channel(name, command.title, declared, argue)
            )
            pvs = CommandPVs(command, self._reports_of(command), button, argument)
            control.append(ArgumentControl(pvs, declared))
            return pvs
        return CommandPVs(command, self._reports_of(command), button, argument)

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


def _text(name: str, text: str, length: int, put: Put | None = None) -> Channel:
    return TextChannel(Head(name, Record.TEXT.value[put is not None], text, put), length)


def _value_channel(name: str, parameter: Parameter, put: Put | None) -> Channel:
    record = types.record_of(parameter)
    head = Head(name, record.value[0 if put is None else 1], parameter.title, put, parameter.unit)
    match record:
        case Record.SWITCH | Record.CHOICE:
            return EnumChannel(head, types.choices(parameter), types.severities(parameter))
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
