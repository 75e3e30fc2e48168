"""Tango's State and Status of the repeater and of a writer, from what the engine says."""

from __future__ import annotations

from collections.abc import Callable

from tango import DevState

from repstream.parameters.facts import Role, Value
from repstream.states import AcquisitionResult, RepeaterState, WriterState

Read = Callable[[Role], Value]
"""Gives the value that has a role now: of the engine, or of one writer."""

REPEATER_ROLES = (Role.STATE, Role.LOSING, Role.STATUS, Role.ERROR)
"""What a repeater's State and Status follow from."""

WRITER_ROLES = (Role.STATE, Role.ACQUISITION, Role.RESULT, Role.OUTCOME, Role.WAITING, Role.NAME)
"""What a writer's State and Status follow from, beside the state of its engine."""

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


def repeater_state(engine: Read) -> DevState:
    """State of the repeater; ALARM is running but losing frames."""
    state = _REPEATER[RepeaterState(str(engine(Role.STATE) or RepeaterState.UNKNOWN))]
    return DevState.ALARM if state == DevState.RUNNING and engine(Role.LOSING) else state


def repeater_status(engine: Read) -> str:
    """Status of the repeater: what it does now and, in an error, which."""
    lines = [str(engine(Role.STATUS) or engine(Role.STATE) or "The engine says nothing.")]
    if engine(Role.STATE) == RepeaterState.ERROR:
        lines.append(str(engine(Role.ERROR) or ""))
    return _joined(lines)


def writer_state(engine: Read, writer: Read) -> DevState:
    """State of a writer; ALARM from a failed acquisition on until the next start; an abort is none."""
    if engine(Role.STATE) == RepeaterState.UNKNOWN:
        return DevState.UNKNOWN
    state = _WRITER[WriterState(str(writer(Role.STATE) or WriterState.UNKNOWN))]
    failed = writer(Role.RESULT) == AcquisitionResult.FAILED
    return DevState.ALARM if state == DevState.STANDBY and failed else state


def writer_status(engine: Read, writer: Read, slot: int) -> str:
    """Status of a writer: state, state of the acquisition, what came of it or what it waits for."""
    if engine(Role.STATE) == RepeaterState.UNKNOWN:
        return str(engine(Role.STATUS) or "The engine cannot be reached.")
    state, acquisition, _, message, waiting, name = map(writer, WRITER_ROLES)
    if state is None:
        return f"There is no writer in slot {slot} of this engine."
    lines = [f"Writer {name} is {state}, its acquisition is {acquisition}."]
    return _joined([*lines, str(message or ""), str(waiting or "")])


def _joined(lines: list[str]) -> str:
    # The engine may say the same in two places; once is enough to read.
    return "\n".join(dict.fromkeys(line for line in lines if line))
