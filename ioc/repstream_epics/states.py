"""Which alarm a value stands for: states, alarm levels, and no value at all."""

from __future__ import annotations

from collections.abc import Mapping

from caproto import AlarmSeverity, AlarmStatus

from repstream.parameters.catalogue import Group, Parameter
from repstream.parameters.facts import Alarm, Value
from repstream.parameters.status import NEWEST, PREVIOUS
from repstream.states import AcquisitionResult, AcquisitionState, RepeaterState, WriterState

Severity = tuple[AlarmStatus, AlarmSeverity]

NO_ALARM: Severity = (AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM)
NO_VALUE: Severity = (AlarmStatus.UDF, AlarmSeverity.INVALID_ALARM)
REFUSED_WRITE: Severity = (AlarmStatus.WRITE, AlarmSeverity.MAJOR_ALARM)

_MAJOR: Severity = (AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM)
_MINOR: Severity = (AlarmStatus.STATE, AlarmSeverity.MINOR_ALARM)
_UNREACHABLE: Severity = (AlarmStatus.COMM, AlarmSeverity.INVALID_ALARM)

ENGINE_STATE = "engine.state"
LOSING = "engine.losing"

_STATES: dict[tuple[str, str], Mapping[Value, Severity]] = {
    (Group.ENGINE, "state"): {
        RepeaterState.ERROR.value: _MAJOR,
        RepeaterState.UNKNOWN.value: _UNREACHABLE,
    },
    (Group.ENGINE, "losing"): {True: _MINOR},
    (Group.WRITER, "state"): {WriterState.UNKNOWN.value: _UNREACHABLE},
}
for _which in (NEWEST, PREVIOUS):
    _STATES[Group.WRITER, f"{_which}acq_state"] = {AcquisitionState.FAILED.value: _MAJOR}
    _STATES[Group.WRITER, f"{_which}acq_result"] = {
        AcquisitionResult.ABORTED.value: _MAJOR,
        AcquisitionResult.FAILED.value: _MAJOR,
    }


def alarm_of(parameter: Parameter, value: Value, losing: bool = False) -> Severity:
    """The alarm of a parameter's value; `losing`: frames are being lost now."""
    if value is None:
        return NO_VALUE
    if parameter.key == ENGINE_STATE and losing and value == RepeaterState.RUNNING.value:
        return _MINOR
    by_state = _STATES.get((parameter.group, parameter.field))
    if by_state is not None:
        return by_state.get(value, NO_ALARM)
    if parameter.alarm is not None and isinstance(value, int | float):
        return _level(parameter.alarm, value)
    return NO_ALARM


def _level(alarm: Alarm, value: float) -> Severity:
    if alarm.alarm_high is not None and value >= alarm.alarm_high:
        return AlarmStatus.HIHI, AlarmSeverity.MAJOR_ALARM
    if alarm.alarm_low is not None and value <= alarm.alarm_low:
        return AlarmStatus.LOLO, AlarmSeverity.MAJOR_ALARM
    if alarm.warning_high is not None and value >= alarm.warning_high:
        return AlarmStatus.HIGH, AlarmSeverity.MINOR_ALARM
    if alarm.warning_low is not None and value <= alarm.warning_low:
        return AlarmStatus.LOW, AlarmSeverity.MINOR_ALARM
    return NO_ALARM
