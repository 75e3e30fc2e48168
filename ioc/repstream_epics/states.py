"""Which alarm a value stands for: as it is declared, and what EPICS calls the reason."""

from __future__ import annotations

from caproto import AlarmSeverity, AlarmStatus

from repstream.parameters import facts
from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Alarm, Role, Value
from repstream.states import is_open

Severity = tuple[AlarmStatus, AlarmSeverity]

NO_ALARM: Severity = (AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM)
NO_VALUE: Severity = (AlarmStatus.UDF, AlarmSeverity.INVALID_ALARM)
REFUSED_WRITE: Severity = (AlarmStatus.WRITE, AlarmSeverity.MAJOR_ALARM)
RUNNING_BUT_LOSING: Severity = (AlarmStatus.STATE, AlarmSeverity.MINOR_ALARM)


def alarm_of(parameter: Parameter, value: Value, losing: bool = False) -> Severity:
    """The alarm of a parameter's value; `losing`: frames are being lost now."""
    if value is None:
        return NO_VALUE
    if parameter.role is Role.STATE and losing and is_open(value):
        return RUNNING_BUT_LOSING
    severity = parameter.severity(value)
    if severity is facts.Severity.NONE:
        return NO_ALARM
    return _status(parameter.alarm or Alarm(), value, severity), AlarmSeverity(severity)


def _status(alarm: Alarm, value: Value, severity: facts.Severity) -> AlarmStatus:
    if severity is facts.Severity.INVALID:
        return AlarmStatus.COMM
    if isinstance(value, bool | str) or value is None:
        return AlarmStatus.STATE
    if severity is facts.Severity.MAJOR:
        high = alarm.alarm_high is not None and value >= alarm.alarm_high
        return AlarmStatus.HIHI if high else AlarmStatus.LOLO
    high = alarm.warning_high is not None and value >= alarm.warning_high
    return AlarmStatus.HIGH if high else AlarmStatus.LOW
