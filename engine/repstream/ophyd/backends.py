"""A parameter as the backend of a signal, a command as that of a command."""

from __future__ import annotations

import inspect
import math
import re
from functools import lru_cache
from typing import Any, assert_never

from bluesky.protocols import Reading as BlueskyReading
from event_model import DataKey, Limits, LimitsRange
from ophyd_async.core import (
    NO_ARG_VOID_SIGNATURE,
    CommandBackend,
    NotConnectedError,
    SignalBackend,
    SignalMetadata,
    StrictEnum,
    make_datakey,
)

from repstream.errors import EngineUnreachable
from repstream.ophyd.link import Link
from repstream.parameters.catalogue import Command, Parameter
from repstream.parameters.facts import Kind, Severity, Value
from repstream.protocol import Reading

PRECISION = 3
_WORD = re.compile(r"\W|^(?=\d)")


@lru_cache(maxsize=256)
def _choices(name: str, choices: tuple[str, ...]) -> type[StrictEnum]:
    members = {(_WORD.sub("_", choice) or "EMPTY").upper(): choice for choice in choices}
    made: type[StrictEnum] = StrictEnum(name, members)  # type: ignore[assignment,call-arg]  # of enum itself
    return made


def datatype_of(parameter: Parameter) -> type[Any]:
    """The type of a parameter's signal; a choice is an enumeration of its words."""
    match parameter.kind:
        case Kind.BOOL:
            return bool
        case Kind.INT:
            return int
        case Kind.FLOAT:
            return float
        case Kind.TEXT:
            return str
        case Kind.CHOICE:
            return _choices(parameter.field.title().replace("_", ""), parameter.choices)
        case _ as never:
            assert_never(never)


def _nothing(parameter: Parameter) -> Value:
    """What stands for no value, with the severity INVALID beside it."""
    empty: dict[Kind, Value] = {Kind.BOOL: False, Kind.INT: 0, Kind.FLOAT: math.nan, Kind.TEXT: ""}
    return empty.get(parameter.kind, parameter.choices[0] if parameter.choices else "")


class ParameterBackend(SignalBackend[Any]):
    """One parameter of an engine. `key` may have the name of a stream or writer in the place of its slot."""

    def __init__(self, link: Link, parameter: Parameter, key: str) -> None:
        super().__init__(datatype_of(parameter))
        self._link = link
        self._parameter = parameter
        self._key = key

    def source(self, name: str, read: bool) -> str:
        return f"repstream+{self._link.address}/{self._key}"

    async def connect(self, timeout: float) -> None:
        await _connect(self._link, timeout)

    async def put(self, value: Any | None) -> None:
        """Raises `Refused` with the reason; the value is in force when this returns."""
        await self._link.write({self._key: self._parameter.default if value is None else value})

    async def get_datakey(self, source: str) -> DataKey:
        return make_datakey(self._datatype, await self.get_value(), source, self._metadata())

    async def get_reading(self) -> BlueskyReading[Any]:
        return self._shown(self._link.read(self._key))

    async def get_value(self) -> Any:
        return (await self.get_reading())["value"]

    async def get_setpoint(self) -> Any:
        return await self.get_value()

    def set_callback(self, callback: Any) -> None:
        if callback is None:
            self._link.watch(self._key, None)
            return
        self._link.watch(self._key, lambda reading: callback(self._shown(reading)))
        callback(self._shown(self._link.read(self._key)))

    @property
    def _datatype(self) -> type[Any]:
        assert self.datatype is not None
        return self.datatype

    def _shown(self, reading: Reading) -> BlueskyReading[Any]:
        severity = self._parameter.severity(reading.value)
        value = _nothing(self._parameter) if reading.value is None else reading.value
        worst = Severity.INVALID if reading.value is None else severity
        return {"value": self._datatype(value), "timestamp": reading.time, "alarm_severity": int(worst)}

    def _metadata(self) -> SignalMetadata:
        parameter, metadata = self._parameter, SignalMetadata()
        if parameter.unit:
            metadata["units"] = parameter.unit
        if parameter.choices:
            metadata["choices"] = list(parameter.choices)
        if parameter.kind is Kind.FLOAT:
            metadata["precision"] = PRECISION
        if parameter.kind in (Kind.INT, Kind.FLOAT):
            metadata["limits"] = _limits(parameter)
        return metadata


class EngineCommandBackend(CommandBackend[Any, None]):
    """One command of an engine; its end is that of the command, with the engine's reason where it fails."""

    def __init__(self, link: Link, command: Command, key: str) -> None:
        super().__init__(_signature(command))
        self._link = link
        self._key = key

    def source(self, name: str) -> str:
        return f"repstream+{self._link.address}/{self._key}"

    async def connect(self, timeout: float) -> None:
        await _connect(self._link, timeout)

    async def execute(self, argument: Value = None) -> None:
        """Raises `Refused`, `EndedEarly` or `EngineUnreachable`."""
        await self._link.execute(self._key, argument)


def _signature(command: Command) -> inspect.Signature:
    if command.argument is None:
        return NO_ARG_VOID_SIGNATURE
    kinds = {Kind.BOOL: bool, Kind.INT: int, Kind.FLOAT: float}
    kind, default = kinds.get(command.argument.kind, str), inspect.Parameter.empty
    argument = inspect.Parameter(
        "argument",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=kind,
        default=kind() if command.argument.optional else default,
    )
    return inspect.Signature([argument], return_annotation=None)


def _limits(parameter: Parameter) -> Limits:
    limits, alarm = Limits(), parameter.alarm
    if parameter.minimum is not None or parameter.maximum is not None:
        limits["control"] = LimitsRange(low=parameter.minimum, high=parameter.maximum)
    if alarm is not None and (alarm.warning_low, alarm.warning_high) != (None, None):
        limits["warning"] = LimitsRange(low=alarm.warning_low, high=alarm.warning_high)
    if alarm is not None and (alarm.alarm_low, alarm.alarm_high) != (None, None):
        limits["alarm"] = LimitsRange(low=alarm.alarm_low, high=alarm.alarm_high)
    return limits


async def _connect(link: Link, timeout: float) -> None:
    try:
        await link.connect(timeout)
    except EngineUnreachable as error:
        raise NotConnectedError(str(error)) from error
