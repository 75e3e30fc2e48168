"""Tango's State and Status of the repeater and of a writer, from what the engine says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tango import DevState

from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Alarm, Role, Severity, Value
from repstream.states import RepeaterState, WriterState, is_fault, is_in_error, is_unknown

Read = Callable[[Role], Value]
"""Gives the value that has a role now: of the engine, or of one writer."""

REPEATER_ROLES = (Role.STATE, Role.LOSING, Role.STATUS, Role.ERROR)
"""What a repeater's State and Status follow from."""

WRITER_ROLES = (Role.STATE, Role.ACQUISITION, Role.RESULT, Role.OUTCOME, Role.WAITING, Role.NAME)
"""What a writer's State and Status follow from, beside the state of its engine."""

STREAM_ROLES = (Role.NAME, Role.ENABLED, Role.BLOCKING)
"""What a stream's State and Status follow from, beside state, status and error of its engine."""

PICTURE_ROLES = (Role.STATE, Role.STATUS)
"""What a picture's State and Status follow from, beside the state of its engine."""

_REPEATER = {
    RepeaterState.INITIALIZED: DevState.STANDBY,
    RepeaterState.RUNNING: DevState.RUNNING,
    RepeaterState.STOPPED: DevState.OFF,
    RepeaterState.ERROR: DevState.FAULT,
    RepeaterState.UNKNOWN: DevState.UNKNOWN,
}
_WRITER = {
    WriterState.READY: DevState.STANDBY,
    WriterState.WRITING: DevState.RUNNING,
    WriterState.UNKNOWN: DevState.UNKNOWN,
}

_PICTURE = {
    "off": DevState.OFF,
    "waiting": DevState.STANDBY,
    "live": DevState.RUNNING,
    "failed": DevState.FAULT,
}


def repeater_state(engine: Read) -> DevState:
    """State of the repeater; ALARM is running but losing frames."""
    state = _REPEATER[RepeaterState(str(engine(Role.STATE) or RepeaterState.UNKNOWN))]
    return DevState.ALARM if state == DevState.RUNNING and engine(Role.LOSING) else state


def repeater_status(engine: Read) -> str:
    """Status of the repeater: what it does now and, in an error, which."""
    lines = [str(engine(Role.STATUS) or engine(Role.STATE) or "The engine says nothing.")]
    if is_in_error(engine(Role.STATE)):
        lines.append(str(engine(Role.ERROR) or ""))
    return _joined(lines)


def writer_state(engine: Read, writer: Read) -> DevState:
    """State of a writer; ALARM from a failed acquisition on until the next start; an abort is none."""
    if is_unknown(engine(Role.STATE)):
        return DevState.UNKNOWN
    state = _WRITER[WriterState(str(writer(Role.STATE) or WriterState.UNKNOWN))]
    failed = is_fault(writer(Role.RESULT))
    return DevState.ALARM if state == DevState.STANDBY and failed else state


def writer_status(engine: Read, writer: Read, slot: int) -> str:
    """Status of a writer: state, state of the acquisition, what came of it or what it waits for."""
    if is_unknown(engine(Role.STATE)):
        return str(engine(Role.STATUS) or "The engine cannot be reached.")
    state, acquisition, _, message, waiting, name = map(writer, WRITER_ROLES)
    if state is None:
        return f"There is no writer in slot {slot} of this engine."
    lines = [f"Writer {name} is {state}, its acquisition is {acquisition}."]
    return _joined([*lines, str(message or ""), str(waiting or "")])


def stream_state(engine: Read, stream: Read) -> DevState:
    """State of a stream: that of the repeater; ALARM is holding back the source, DISABLE taking no frames."""
    state = repeater_state(lambda role: None if role is Role.LOSING else engine(role))
    if stream(Role.NAME) is None or state == DevState.UNKNOWN:
        return DevState.UNKNOWN
    if not stream(Role.ENABLED):
        return DevState.DISABLE
    return DevState.ALARM if state == DevState.RUNNING and stream(Role.BLOCKING) else state


def stream_status(engine: Read, stream: Read, slot: int) -> str:
    """Status of a stream: what keeps it from sending, or what the repeater does."""
    name = stream(Role.NAME)
    if is_unknown(engine(Role.STATE)):
        return repeater_status(engine)
    if name is None:
        return f"There is no stream in slot {slot} of this engine."
    if not stream(Role.ENABLED):
        return f"Stream {name} is disabled: it takes no frames."
    blocks = f"Stream {name} holds back the source: its queue is full." if stream(Role.BLOCKING) else ""
    return _joined([blocks, repeater_status(engine)])


def picture_state(engine: Read, picture: Read) -> DevState:
    """State of a picture: OFF without a stream, STANDBY until an image comes, FAULT where it failed."""
    if is_unknown(engine(Role.STATE)):
        return DevState.UNKNOWN
    return _PICTURE.get(str(picture(Role.STATE)), DevState.UNKNOWN)


def picture_status(engine: Read, picture: Read, slot: int) -> str:
    """Status of a picture: what is wrong with it, or what it waits for."""
    if is_unknown(engine(Role.STATE)):
        return repeater_status(engine)
    state = picture(Role.STATE)
    if state is None:
        return f"There is no picture in slot {slot} of this engine."
    return _joined([f"Picture {slot} is {state}.", str(picture(Role.STATUS) or "")])


def level_line(parameter: Parameter, name: str, value: Value) -> str:
    """Which of its levels a number is beyond, without the number, which changes all the time; empty: none."""
    alarm, severity = parameter.alarm, parameter.severity(value)
    if alarm is None or severity not in _LEVELS or isinstance(value, str | bool) or value is None:
        return ""
    word, low, high = _LEVELS[severity](alarm)
    beyond = f"{high:g} or more" if high is not None and value >= high else f"{low:g} or less"
    number, _, rest = beyond.partition(" ")
    return f"{word}: {name} is {' '.join(filter(None, (number, parameter.unit, rest)))}."


_LEVELS: Mapping[Severity, Callable[[Alarm], tuple[str, float | None, float | None]]] = {
    Severity.MINOR: lambda alarm: ("Warning", alarm.warning_low, alarm.warning_high),
    Severity.MAJOR: lambda alarm: ("Alarm", alarm.alarm_low, alarm.alarm_high),
}


def _joined(lines: list[str]) -> str:
    # The engine may say the same in two places; once is enough to read.
    return "\n".join(dict.fromkeys(line for line in lines if line))
