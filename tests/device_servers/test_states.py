"""What the engine says becomes Tango's State and Status."""

from __future__ import annotations

import pytest
from tango import DevState

from repstream.parameters.facts import Value
from repstream.states import AcquisitionState, RepeaterState, WriterState
from repstream_tango.states import repeater_state, repeater_status, writer_state, writer_status


def engine(**values: Value) -> dict[str, Value]:
    return {f"engine.{field}": value for field, value in values.items()}


def writer(**values: Value) -> dict[str, Value]:
    return engine(state="RUNNING") | {f"writers.1.{field}": value for field, value in values.items()}


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
    assert repeater_state(engine(state=state, losing=losing).get) == expected


@pytest.mark.parametrize("state", RepeaterState)
def test_every_state_of_the_repeater_is_mapped(state: RepeaterState) -> None:
    assert isinstance(repeater_state(engine(state=state.value).get), DevState)


@pytest.mark.parametrize(
    ("state", "acquisition", "expected"),
    [
        ("READY", "NONE", DevState.STANDBY),
        ("READY", "FINISHED", DevState.STANDBY),
        ("READY", "FAILED", DevState.ALARM),
        ("WRITING", "FAILED", DevState.RUNNING),
        ("WRITING", "ACQUIRING_IMAGES", DevState.RUNNING),
        ("UNKNOWN", "FAILED", DevState.UNKNOWN),
        (None, None, DevState.UNKNOWN),
    ],
)
def test_state_of_a_writer(state: Value, acquisition: Value, expected: DevState) -> None:
    assert writer_state(writer(state=state, acq_state=acquisition).get, 1) == expected


@pytest.mark.parametrize("state", WriterState)
@pytest.mark.parametrize("acquisition", AcquisitionState)
def test_every_state_of_a_writer_is_mapped(state: WriterState, acquisition: AcquisitionState) -> None:
    assert isinstance(writer_state(writer(state=state.value, acq_state=acquisition.value).get, 1), DevState)


def test_an_engine_out_of_reach_makes_its_writers_unknown() -> None:
    values = writer(state="READY") | engine(state="UNKNOWN", status="no answer since 12:00")
    assert writer_state(values.get, 1) == DevState.UNKNOWN
    assert writer_status(values.get, 1) == "no answer since 12:00"


def test_status_of_an_error_says_which_once() -> None:
    assert repeater_status(engine(state="ERROR", status="Failed.", last_error="disk").get) == "Failed.\ndisk"
    assert repeater_status(engine(state="ERROR", status="disk", last_error="disk").get) == "disk"
    assert repeater_status(engine(state="RUNNING", status="Fine.", last_error="disk").get) == "Fine."


def test_status_of_a_writer_says_what_it_waits_for() -> None:
    values = writer(state="WRITING", acq_state="WAITING_IMAGES", name="main", waiting="no frames since 12:00")
    assert writer_status(values.get, 1).splitlines() == [
        "Writer main is WRITING, its acquisition is WAITING_IMAGES.",
        "no frames since 12:00",
    ]


def test_status_of_an_empty_slot_says_so() -> None:
    assert writer_status(writer(state=None).get, 1) == "There is no writer in slot 1 of this engine."
