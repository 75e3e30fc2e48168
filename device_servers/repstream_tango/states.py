"""Tango's State and Status of the repeater and of a writer, from what the engine says."""

from __future__ import annotations

from collections.abc import Callable

from tango import DevState

from repstream.parameters.facts import Value
from repstream.states import AcquisitionState, RepeaterState, WriterState

Read = Callable[[str], Value]
"""Gives the value of a key now."""

REPEATER_KEYS = ("engine.state", "engine.losing", "engine.status", "engine.last_error")
"""What a repeater's State and Status follow from."""

_WRITER_FIELDS = ("state", "acq_state", "acq_message", "waiting", "name")

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


def repeater_state(read: Read) -> DevState:
    """State of the repeater; ALARM is running but losing frames."""
    state = _REPEATER[RepeaterState(str(read("engine.state") or RepeaterState.UNKNOWN))]
    return DevState.ALARM if state == DevState.RUNNING and read("engine.losing") else state


def repeater_status(read: Read) -> str:
    """Status of the repeater: what it does now and, in an error, which."""
    lines = [str(read("engine.status") or read("engine.state") or "The engine says nothing.")]
    if read("engine.state") == RepeaterState.ERROR:
        lines.append(str(read("engine.last_error") or ""))
    return _joined(lines)


def writer_keys(slot: int) -> tuple[str, ...]:
    """What the State and Status of the writer in `slot` follow from."""
    return ("engine.state", *(f"writers.{slot}.{field}" for field in _WRITER_FIELDS))


def writer_state(read: Read, slot: int) -> DevState:
    """State of a writer; ALARM from a failed acquisition on until the next start or reset."""
    if read("engine.state") == RepeaterState.UNKNOWN:
        return DevState.UNKNOWN
    state = _WRITER[WriterState(str(read(f"writers.{slot}.state") or WriterState.UNKNOWN))]
    failed = read(f"writers.{slot}.acq_state") == AcquisitionState.FAILED
    return DevState.ALARM if state == DevState.STANDBY and failed else state


def writer_status(read: Read, slot: int) -> str:
    """Status of a writer: state, state of the acquisition, what came of it or what it waits for."""
    if read("engine.state") == RepeaterState.UNKNOWN:
        return str(read("engine.status") or "The engine cannot be reached.")
    state, acquisition, message, waiting, name = (read(key) for key in writer_keys(slot)[1:])
    if state is None:
        return f"There is no writer in slot {slot} of this engine."
    lines = [f"Writer {name} is {state}, its acquisition is {acquisition}."]
    return _joined([*lines, str(message or ""), str(waiting or "")])


def _joined(lines: list[str]) -> str:
    # The engine may say the same in two places; once is enough to read.
    return "\n".join(dict.fromkeys(line for line in lines if line))
