"""Values keep their meaning on the way to Tango and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tango import CmdArgType

from repstream.parameters.catalogue import Parameter, build
from repstream.parameters.facts import Kind
from repstream_tango.types import (
    configuration,
    from_tango,
    message_to_tango,
    placeholder,
    tango_type,
    text_to_tango,
    to_tango,
)

PARAMETERS = build(slots={"streams": 1, "writers": 1}).parameters
CHOICES = [p for p in PARAMETERS.values() if p.kind is Kind.CHOICE]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("source.received", CmdArgType.DevULong64),
        ("source.io_threads", CmdArgType.DevLong64),
        ("source.rate", CmdArgType.DevDouble),
        ("source.mode", CmdArgType.DevEnum),
        ("source.connected", CmdArgType.DevBoolean),
        ("source.address", CmdArgType.DevString),
    ],
)
def test_a_kind_has_a_tango_type(key: str, expected: CmdArgType) -> None:
    assert tango_type(PARAMETERS[key]) == expected


@pytest.mark.parametrize("parameter", CHOICES, ids=lambda p: p.key)
def test_every_choice_survives_the_round_trip(parameter: Parameter) -> None:
    for number, choice in enumerate(parameter.choices):
        shown = to_tango(parameter, choice)
        assert shown == number
        assert from_tango(parameter, number) == choice


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda p: p.key)
def test_no_value_has_a_placeholder_of_the_right_type(parameter: Parameter) -> None:
    assert to_tango(parameter, None) is None
    python = {Kind.BOOL: bool, Kind.FLOAT: float, Kind.TEXT: str}.get(parameter.kind, int)
    assert type(placeholder(parameter)) is python


def test_facts_become_the_attributes_configuration() -> None:
    facts = configuration(PARAMETERS["streams.1.queue_use"])
    assert (facts["unit"], facts["min_value"], facts["max_value"]) == ("%", 0, 100.0)
    assert (facts["max_warning"], facts["max_alarm"]) == (70, 90)
    assert "min_alarm" not in facts
    assert facts["doc"] == PARAMETERS["streams.1.queue_use"].text


def test_the_levels_of_an_integer_are_integers() -> None:
    parameter = msgspec.msgpack.decode(
        msgspec.msgpack.encode(PARAMETERS["pictures.1.saturated"]), type=type(PARAMETERS["source.mode"])
    )
    assert type(parameter.alarm.warning_high) is float  # as an engine elsewhere names it
    assert type(configuration(parameter)["max_warning"]) is int


@given(st.text())
def test_any_text_can_be_sent_and_latin_1_is_not_touched(text: str) -> None:
    sent = text_to_tango(text)
    assert "\0" not in sent
    assert all(ord(c) < 256 for c in sent)
    if "\0" not in text and all(ord(c) < 256 for c in text):
        assert sent == text
    assert message_to_tango(text).isascii()
