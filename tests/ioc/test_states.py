from __future__ import annotations

import msgspec
import pytest
from caproto import AlarmSeverity

from repstream.parameters.catalogue import build
from repstream.parameters.facts import Alarm, Value
from repstream_epics.states import alarm_of

PARAMETERS = build().parameters
OK, MINOR, MAJOR, INVALID = AlarmSeverity


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("engine.state", "RUNNING", OK),
        ("engine.state", "ERROR", MAJOR),
        ("engine.state", "UNKNOWN", INVALID),
        ("engine.losing", True, MINOR),
        ("writers.1.state", "WRITING", OK),
        ("writers.1.state", "UNKNOWN", INVALID),
        ("writers.1.acq_state", "FAILED", OK),  # an abort is no alarm: the result says what it was
        ("writers.1.acq_result", "failed", MAJOR),
        ("writers.1.start_result", "refused", MINOR),
        ("writers.1.acq_result", "interrupted", OK),
        ("writers.1.acq_result", "aborted", OK),
        ("writers.1.num_written", None, INVALID),
    ],
)
def test_states_have_severities(key: str, value: Value, severity: AlarmSeverity) -> None:
    assert alarm_of(PARAMETERS[key], value)[1] is severity


def test_losing_frames_is_a_minor_alarm_of_the_running_repeater_only() -> None:
    state = PARAMETERS["engine.state"]
    assert alarm_of(state, "RUNNING", losing=True)[1] is MINOR
    assert alarm_of(state, "STOPPED", losing=True)[1] is OK
    assert alarm_of(state, "ERROR", losing=True)[1] is MAJOR


@pytest.mark.parametrize(
    ("value", "severity"), [(0.5, MAJOR), (1, MAJOR), (5, MINOR), (50, OK), (70, MINOR), (95, MAJOR)]
)
def test_alarm_levels_are_inclusive(value: float, severity: AlarmSeverity) -> None:
    levels = Alarm(alarm_low=1, warning_low=10, warning_high=70, alarm_high=90)
    parameter = msgspec.structs.replace(PARAMETERS["writers.1.queue_use"], alarm=levels)
    assert alarm_of(parameter, value)[1] is severity


def test_a_level_that_is_not_set_is_no_alarm() -> None:
    assert alarm_of(PARAMETERS["writers.1.queue_use"], 0)[1] is OK
