"""The catalogue: complete, consistent, and told in words that people can use."""

from __future__ import annotations

import pytest

from repstream.parameters.catalogue import Parameter, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Kind
from repstream.parameters.groups import REPEATER, Slots

CATALOGUE = build()
parameters = pytest.mark.parametrize("parameter", CATALOGUE.parameters.values(), ids=lambda p: p.key)


@parameters
def test_every_parameter_is_described(parameter: Parameter) -> None:
    assert parameter.text.endswith(".")
    assert len(parameter.text) > 12


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
        declared = [name for model in group.models for name in model.model_fields]
        assert len(declared) == len(set(declared))
        slot = 0 if group.slots is Slots.NONE else 1
        assert [p.field for p in CATALOGUE.of(group.name, slot)] == declared


def test_every_group_with_settings_is_in_the_configuration() -> None:
    settings = {group.name for group in REPEATER if group.settings}
    assert settings == Configuration.model_fields.keys() - {"schema_version", "slots"}


def test_slots_are_as_many_as_asked_for() -> None:
    small = build(slots={"streams": 2, "writers": 1})
    assert "streams.2.every_nth" in small.parameters
    assert "streams.3.every_nth" not in small.parameters
    assert {c.slot for c in small.commands.values()} == {0, 1}
