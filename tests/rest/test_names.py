"""Keys with the names of streams and writers in place of their slots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import InvalidValue, UnknownKey
from repstream.parameters.catalogue import Group, build
from repstream.parameters.configuration import NAME
from repstream_http.names import Names
from repstream_http.types import from_json, to_json

CATALOGUE = build()

names = st.lists(st.from_regex(NAME, fullmatch=True), min_size=1, max_size=4, unique=True)


@given(streams=names, writers=names)
def test_every_key_is_found_again_as_it_is_shown(streams: list[str], writers: list[str]) -> None:
    values = {f"streams.{n}.name": name for n, name in enumerate(streams, 1)}
    values |= {f"writers.{n}.name": name for n, name in enumerate(writers, 1)}
    shown = Names(CATALOGUE, dict(values))
    for key in (*CATALOGUE.parameters, *CATALOGUE.commands):
        assert shown.slot_key(shown.shown(key)) == key
        assert shown.slot_key(key) == key
    assert shown.occupied(Group.STREAM) == {name: n for n, name in enumerate(streams, 1)}


def test_a_stream_and_a_writer_may_have_one_name() -> None:
    shown = Names(CATALOGUE, {"streams.2.name": "main", "writers.1.name": "main"})
    assert shown.parameter("streams.main.enable").key == "streams.2.enable"
    assert shown.parameter("writers.main.enable").key == "writers.1.enable"


@pytest.mark.parametrize(
    "key", ["", ".", "streams", "streams.1", "streams.9.enable", "streams.main.enable.x"]
)
def test_what_is_no_key_is_unknown(key: str) -> None:
    with pytest.raises(UnknownKey):
        Names(CATALOGUE, {"streams.1.name": "main"}).parameter(key)


@pytest.mark.parametrize("value", [[], {}, [1], 2**64, -(2**63) - 1])
def test_what_is_no_single_value_of_64_bits_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue):
        from_json("source.mode", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_in_json_is_null(value: float) -> None:
    assert to_json(value) is None
