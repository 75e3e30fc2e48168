"""The catalogue: complete, consistent, and told in words that people can use."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from msgspec.structs import replace

from repstream.parameters.catalogue import Parameter, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Format, Kind, Severity, Value
from repstream.parameters.groups import REPEATER, Slots

CATALOGUE = build()
# One slot of each group stands for all of them, which are alike.
PARAMETERS = [parameter for parameter in CATALOGUE.parameters.values() if parameter.slot in (0, 1)]
parameters = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.key)


@parameters
def test_every_parameter_is_described(parameter: Parameter) -> None:
    assert parameter.text.endswith(".")
    assert len(parameter.text) > 12


@parameters
def test_titles_and_descriptions_are_short_sentences(parameter: Parameter) -> None:
    assert parameter.title[0].isalnum()
    assert not parameter.title.endswith(".")
    assert parameter.text.count(". ") <= 1
    assert not re.search(r"\b(tells?|told|so many)\b", parameter.text)


@parameters
def test_a_time_is_a_number_of_seconds(parameter: Parameter) -> None:
    if parameter.format is Format.TIME:
        assert (parameter.kind, parameter.unit) == (Kind.FLOAT, "s")
        assert "Unix time" in parameter.text


def test_a_time_is_readable() -> None:
    text = CATALOGUE.parameters["writers.1.start_time"].readable(1767225600.25)
    assert datetime.fromisoformat(text).timestamp() == 1767225600.25
    assert CATALOGUE.parameters["writers.1.start_time"].readable(None) == ""
    assert CATALOGUE.parameters["engine.last_error_time"].readable(0.0) == ""
    assert CATALOGUE.parameters["source.received"].readable(2**64 - 1) == "18446744073709551615"


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("engine.state", "ERROR", Severity.MAJOR),
        ("engine.state", "UNKNOWN", Severity.INVALID),
        ("engine.state", "RUNNING", Severity.NONE),
        ("engine.losing", True, Severity.MINOR),
        ("engine.losing", False, Severity.NONE),
        ("writers.1.acq_state", "FAILED", Severity.NONE),  # an abort ends so, too
        ("writers.2.previous_acq_result", "failed", Severity.MAJOR),
        ("writers.1.acq_result", "failed", Severity.MAJOR),
        ("writers.1.acq_result", "aborted", Severity.NONE),
        ("streams.1.queue_use", 90.0, Severity.MAJOR),
        ("streams.1.queue_use", 70.0, Severity.MINOR),
        ("writers.1.free_space", 1, Severity.MAJOR),
        ("writers.1.free_space", 10.5, Severity.NONE),
        ("writers.1.free_space", None, Severity.INVALID),
    ],
)
def test_how_bad_a_value_is(key: str, value: Value, severity: Severity) -> None:
    assert CATALOGUE.parameters[key].severity(value) is severity


@parameters
def test_every_number_that_can_be_written_has_limits(parameter: Parameter) -> None:
    if parameter.writable and parameter.kind in (Kind.INT, Kind.FLOAT):
        assert parameter.minimum is not None
        assert parameter.maximum is not None
        assert parameter.default is not None
        assert parameter.minimum <= parameter.default <= parameter.maximum  # type: ignore[operator]


@parameters
def test_choices_fit_every_control_system(parameter: Parameter) -> None:
    """Channel Access takes 16 choices of 25 characters."""
    assert len(parameter.choices) <= 16
    assert all(len(choice) <= 25 for choice in parameter.choices)
    if parameter.kind is Kind.CHOICE:
        assert parameter.default in parameter.choices


def test_every_declared_field_is_there_once() -> None:
    for group in REPEATER:
        declared = [name for name, _ in group.fields()]
        assert len(declared) == len(set(declared))
        slot = 0 if group.slots is Slots.NONE else 1
        assert [p.field for p in CATALOGUE.of(group.name, slot)] == declared


def test_every_group_with_settings_is_in_the_configuration() -> None:
    settings = {group.name for group in REPEATER if group.settings}
    assert settings == Configuration.model_fields.keys() - {"schema_version", "slots"}


def test_all_slots_of_a_group_are_alike() -> None:
    for group in CATALOGUE.named:
        first, *others = (
            [*CATALOGUE.of(group, s), *CATALOGUE.commands_of(group, s)] for s in CATALOGUE.slots(group)
        )
        for other in others:
            assert [replace(r, slot=1, key=r.key.replace(f".{r.slot}.", ".1.")) for r in other] == first


def test_slots_are_as_many_as_asked_for() -> None:
    small = build(slots={"streams": 2, "writers": 1})
    assert "streams.2.every_nth" in small.parameters
    assert "streams.3.every_nth" not in small.parameters
    assert {c.slot for c in small.commands.values()} == {0, 1}
