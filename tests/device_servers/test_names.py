"""Tango names follow from catalogue keys, and what would not fit is refused at start."""

from __future__ import annotations

import msgspec
import pytest

from repstream.parameters.catalogue import Catalogue, build
from repstream_tango.names import LONGEST, attribute_name, check, command_names


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("engine.last_command_by", "LastCommandBy"),
        ("engine.state", "EngineState"),
        ("engine.status", "EngineStatus"),
        ("source.mode", "SourceMode"),
        ("streams.1.every_nth", "Stream1EveryNth"),
        ("streams.8.address", "Stream8Address"),
        ("writers.1.num_images", "NumImages"),
        ("writers.4.num_images", "NumImages"),
        ("writers.1.state", "WriterState"),
    ],
)
def test_a_key_becomes_a_name_by_rule(key: str, name: str) -> None:
    assert attribute_name(build().parameters[key]) == name


def test_a_number_that_may_be_left_out_makes_a_second_command() -> None:
    commands = build().commands
    assert command_names(commands["writers.1.start"]) == ("Start", "StartFrames")
    assert command_names(commands["engine.start"]) == ("Start",)
    assert command_names(commands["engine.load_config"]) == ("LoadConfig",)


@pytest.mark.parametrize("slots", [(1, 1), (8, 4), (16, 8)])
def test_the_catalogue_fits_whatever_its_slots(slots: tuple[int, int]) -> None:
    check(build(slots=dict(zip(("streams", "writers"), slots, strict=True))))


@pytest.mark.parametrize(
    ("key", "field", "said"),
    [
        ("engine.uptime", "source_mode", r"(source.mode|engine.source_mode) .* would both be SourceMode"),
        ("engine.uptime", "SOURCE_MODE", r"would both be"),
        ("engine.uptime", "start", r"command engine.start and engine.start would both be Start"),
        ("writers.2.progress", "slot", r"writers.2.slot and Tango would both be Slot"),
        ("writers.1.progress", "x" * (LONGEST + 1), rf"longer than {LONGEST} characters"),
    ],
)
def test_names_that_meet_or_are_too_long_are_refused(key: str, field: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(_renamed(build(), key, field))


def _renamed(catalogue: Catalogue, key: str, field: str) -> Catalogue:
    old = catalogue.parameters[key]
    new = msgspec.structs.replace(old, key=key.replace(old.field, field), field=field)
    parameters = {k: p for k, p in catalogue.parameters.items() if k != key} | {new.key: new}
    return msgspec.structs.replace(catalogue, parameters=parameters)
