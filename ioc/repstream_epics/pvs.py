"""The PVs of the catalogue's own view: of a parameter, of a command, and of what became of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repstream.errors import Refused
from repstream.parameters.catalogue import Command, Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Value
from repstream.states import is_fault
from repstream_epics import names, types
from repstream_epics.channels import Channel, Raw
from repstream_epics.levels import LevelBook
from repstream_epics.refusal import CmdStatus, WriteStatus, severity_of
from repstream_epics.states import NO_ALARM, NO_VALUE, REFUSED_WRITE, alarm_of
from repstream_epics.view import Execute, Write

OFF_ON = ("Off", "On")
MESSAGE_LENGTH = 1024

_GOOD = frozenset({CmdStatus.IDLE, CmdStatus.BUSY, CmdStatus.OK, CmdStatus.ABORTED})


@dataclass(frozen=True)
class ReportPVs:
    """What became of the last request: status, and why; the engine's has the name of the request as well."""

    status: Channel
    message: Channel
    name: Channel | None = None

    async def of_request(self, pv: str, status: CmdStatus, message: str, time: float) -> None:
        """Show the outcome of a put to `pv`, named without prefix."""
        if self.name is not None:
            await self.name.show(pv, severity_of(CmdStatus.OK), time)
            await self.show(status, message, time)
        else:
            good = status in _GOOD
            await self.show(*(WriteStatus.OK, "") if good else (WriteStatus.ERROR, message), time)

    async def show(self, status: str, message: str, time: float) -> None:
        """Message, then status, with its severity on both."""
        severity = severity_of(status)
        await self.message.show(types.text_to_pv(message, MESSAGE_LENGTH), severity, time)
        await self.status.show(str(status), severity, time)


@dataclass(frozen=True, eq=False)
class FollowedReport:
    """A writer's report follows its acquisition too: it may have been started by somebody else."""

    report: ReportPVs
    acquisition: str
    result: str
    outcome: str

    @property
    def keys(self) -> Sequence[str]:
        return (self.acquisition,)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        # The engine says how it ended, and then that it has ended.
        if is_fault(held[self.result]):
            await self.report.show(WriteStatus.ERROR, str(held[self.outcome] or ""), time)
        elif held[self.acquisition] is not None:
            await self.report.show(WriteStatus.OK, "", time)


@dataclass(frozen=True, eq=False)
class ParameterPVs:
    """The PVs of one parameter: readback, setpoint where it may be written, a text beside some numbers.

    `levels`: the alarm levels in force. `losing`: the key that makes running an alarm, where the parameter
    is the state of the repeater.
    """

    parameter: Parameter
    reports: Sequence[ReportPVs]
    readback: Channel
    setpoint: Channel | None
    text: Channel | None
    losing: str | None
    levels: LevelBook

    @property
    def keys(self) -> Sequence[str]:
        return (self.parameter.key,) if self.losing is None else (self.parameter.key, self.losing)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        value = held[self.parameter.key]
        alarm = alarm_of(self.levels.of(self.parameter), value, bool(self.losing and held[self.losing]))
        shown = types.to_pv(self.parameter, value)
        await self.readback.show(shown, alarm, time)
        if self.text is not None:
            await self.text.show(self.parameter.readable(value), alarm, time)
        if self.setpoint is not None:
            await self.setpoint.show(shown, NO_VALUE if value is None else NO_ALARM, time)

    def request(self, raw: Raw) -> Write:
        try:
            return Write({self.parameter.key: types.from_pv(self.parameter, raw)})
        except ValueError as error:
            raise Refused(self.parameter.key, str(error)) from None

    async def begun(self, time: float) -> None:
        """A write does not go on."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        """The setpoint shows the value held, with an alarm if the put was refused."""
        if self.setpoint is not None:
            nothing = self.readback.alarm.status == NO_VALUE[0]
            alarm = (NO_VALUE if nothing else NO_ALARM) if taken else REFUSED_WRITE
            await self.setpoint.show(self.readback.value, alarm, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        for report in self.reports:
            await report.of_request(names.setpoint(self.parameter), status, message, time)


@dataclass(frozen=True, eq=False)
class CommandPVs:
    """The PVs of one command: its button, and the argument where it takes one."""

    command: Command
    reports: Sequence[ReportPVs]
    button: Channel
    argument: Channel | None

    def request(self, raw: Raw) -> Execute | None:
        try:
            if types.choice(OFF_ON, raw) == OFF_ON[0]:
                return None
            return Execute(self.command.key, self._given())
        except ValueError as error:
            raise Refused(self.command.key, str(error)) from None

    async def begun(self, time: float) -> None:
        await self.button.show(OFF_ON[1], NO_ALARM, time)
        await self.report(CmdStatus.BUSY, "", time)
        if self.argument is not None:  # used up: the next command would not expect it
            await self.argument.show("" if isinstance(self.argument.value, str) else 0, NO_ALARM, time)

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        await self.button.show(OFF_ON[busy], NO_ALARM, time, again=not taken)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        for report in self.reports:
            await report.of_request(names.setpoint(self.command), status, message, time)

    def _given(self) -> Value:
        """The argument for the next command; `None` where it is left out."""
        declared = self.command.argument
        if self.argument is None or declared is None:
            return None
        value: Value = types.from_pv(declared, self.argument.value)
        # A number's PV cannot be empty: 0 is what it holds until somebody writes it.
        left_out = value == "" or (value == 0 and (declared.minimum or 0) > 0)
        return None if left_out and declared.optional else value


@dataclass(eq=False)
class ArgumentControl:
    """Takes the argument of the next command; the engine hears of it with the command."""

    of: CommandPVs
    argument: Argument
    value: Value = None

    def request(self, raw: Raw) -> None:
        try:
            self.value = types.from_pv(self.argument, raw)
        except ValueError as error:
            raise Refused(f"{self.of.command.key}'s argument", str(error)) from None

    async def begun(self, time: float) -> None:
        """It asks for no command."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        if taken and self.of.argument is not None:
            await self.of.argument.show(self.value, NO_ALARM, time, again=True)

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        await self.of.report(status, message, time)
