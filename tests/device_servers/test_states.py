"""What the engine says becomes Tango's State and Status."""

from __future__ import annotations

import pytest
from tango import DevState

from repstream.parameters.catalogue import build
from repstream.parameters.facts import Role, Value
from repstream.parameters.groups import Group
from repstream.states import AcquisitionResult, RepeaterState, WriterState
from repstream_tango.states import (
    level_line,
    picture_state,
    repeater_state,
    repeater_status,
    stream_state,
    stream_status,
    writer_state,
    writer_status,
)

RUNNING = {Role.STATE: "RUNNING"}.get


@pytest.mark.parametrize(
    ("state", "losing", "expected"),
    [
        ("INITIALIZED", False, DevState.STANDBY),
        ("RUNNING", False, DevState.RUNNING),
        ("RUNNING", True, DevState.ALARM),
        ("STOPPED", True, DevState.OFF),
        ("ERROR", True, DevState.FAULT),
        ("UNKNOWN", None, DevState.UNKNOWN),
        (None, None, DevState.UNKNOWN),
    ],
)
def test_state_of_the_repeater(state: Value, losing: Value, expected: DevState) -> None:
    assert repeater_state({Role.STATE: state, Role.LOSING: losing}.get) == expected


@pytest.mark.parametrize("state", RepeaterState)
def test_every_state_of_the_repeater_is_mapped(state: RepeaterState) -> None:
    assert isinstance(repeater_state({Role.STATE: state.value}.get), DevState)


@pytest.mark.parametrize(
    ("state", "result", "expected"),
    [
        ("READY", "none", DevState.STANDBY),
        ("READY", "completed", DevState.STANDBY),
        ("READY", "failed", DevState.ALARM),
        ("READY", "aborted", DevState.STANDBY),  # somebody wanted that
        ("WRITING", "failed", DevState.RUNNING),
        ("WRITING", "none", DevState.RUNNING),
        ("UNKNOWN", "failed", DevState.UNKNOWN),
        (None, None, DevState.UNKNOWN),
    ],
)
def test_state_of_a_writer(state: Value, result: Value, expected: DevState) -> None:
    assert writer_state(RUNNING, {Role.STATE: state, Role.RESULT: result}.get) == expected


@pytest.mark.parametrize("state", WriterState)
@pytest.mark.parametrize("result", AcquisitionResult)
def test_every_state_of_a_writer_is_mapped(state: WriterState, result: AcquisitionResult) -> None:
    values = {Role.STATE: state.value, Role.RESULT: result.value}
    assert isinstance(writer_state(RUNNING, values.get), DevState)


def test_an_engine_out_of_reach_makes_its_writers_unknown() -> None:
    engine = {Role.STATE: "UNKNOWN", Role.STATUS: "no answer since 12:00"}.get
    writer = {Role.STATE: "READY"}.get
    assert writer_state(engine, writer) == DevState.UNKNOWN
    assert writer_status(engine, writer, 1) == "no answer since 12:00"


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [("ERROR", "Failed.", "Failed.\ndisk"), ("ERROR", "disk", "disk"), ("RUNNING", "Fine.", "Fine.")],
)
def test_status_of_an_error_says_which_once(state: str, status: str, expected: str) -> None:
    values = {Role.STATE: state, Role.STATUS: status, Role.ERROR: "disk"}
    assert repeater_status(values.get) == expected


def test_status_of_a_writer_says_what_it_waits_for() -> None:
    values = {
        Role.STATE: "WRITING",
        Role.ACQUISITION: "WAITING_IMAGES",
        Role.NAME: "main",
        Role.WAITING: "no frames since 12:00",
    }
    assert writer_status(RUNNING, values.get, 1).splitlines() == [
        "Writer main is WRITING, its acquisition is WAITING_IMAGES.",
        "no frames since 12:00",
    ]


def test_status_of_an_empty_slot_says_so() -> None:
    assert writer_status(RUNNING, {Role.STATE: None}.get, 1) == "There is no writer in slot 1 of this engine."


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("writers.1.queue_use", 69.9, ""),
        ("writers.1.queue_use", 70.0, "Warning: Queue is 70 % or more."),
        ("writers.1.queue_use", 97.3, "Alarm: Queue is 90 % or more."),
        ("writers.1.free_space", 0.5, "Alarm: Queue is 1 GB or less."),
        ("writers.1.free_space", 7, "Warning: Queue is 10 GB or less."),
        ("writers.1.free_space", None, ""),
        ("writers.1.num_written", 10**9, ""),
    ],
)
def test_a_number_beyond_its_level_is_a_line_of_status(key: str, value: Value, line: str) -> None:
    assert level_line(build().parameters[key], "Queue", value) == line


LIVE = {Role.NAME: "live", Role.ENABLED: True, Role.BLOCKING: False}


@pytest.mark.parametrize(
    ("engine", "stream", "expected", "says"),
    [
        ({Role.STATE: "RUNNING", Role.LOSING: True}, {}, DevState.RUNNING, "RUNNING"),  # another's loss
        ({Role.STATE: "STOPPED"}, {}, DevState.OFF, "STOPPED"),
        ({Role.STATE: "ERROR", Role.ERROR: "port taken"}, {}, DevState.FAULT, "port taken"),
        ({Role.STATE: "RUNNING"}, {Role.BLOCKING: True}, DevState.ALARM, "live holds back the source"),
        ({Role.STATE: "RUNNING"}, {Role.ENABLED: False}, DevState.DISABLE, "live is disabled"),
        ({Role.STATE: "RUNNING"}, dict.fromkeys(LIVE), DevState.UNKNOWN, "no stream in slot 3"),
        ({Role.STATE: "UNKNOWN", Role.STATUS: "no answer"}, {}, DevState.UNKNOWN, "no answer"),
    ],
)
def test_state_of_a_stream(
    engine: dict[Role, Value], stream: dict[Role, Value], expected: DevState, says: str
) -> None:
    read = {**LIVE, **stream}.get
    assert stream_state(engine.get, read) == expected
    assert says in stream_status(engine.get, read, 3)


def test_every_state_of_a_picture_is_mapped() -> None:
    catalogue = build()
    choices = catalogue.parameters[catalogue.key(Role.STATE, Group.PICTURE, 1)].choices
    found = [picture_state(RUNNING, {Role.STATE: state}.get) for state in choices]
    assert found == [DevState.OFF, DevState.STANDBY, DevState.RUNNING, DevState.FAULT]
    assert picture_state({Role.STATE: "UNKNOWN"}.get, {Role.STATE: "live"}.get) == DevState.UNKNOWN
