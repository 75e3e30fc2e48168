from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.parameters.catalogue import Parameter, build
from repstream_epics import types
from repstream_epics.types import Record, from_pv, record_of, text_to_pv, to_pv

CATALOGUE = build()
PARAMETERS = CATALOGUE.parameters
EVERY_NTH = PARAMETERS["streams.1.every_nth"]
POLICY = PARAMETERS["streams.1.policy"]
ENABLE = PARAMETERS["streams.1.enable"]
RUN_ID = PARAMETERS["writers.1.run_id"]


def test_an_integer_beyond_32_bits_is_a_double_and_beyond_53_also_text() -> None:
    small = msgspec.structs.replace(EVERY_NTH, maximum=2**31 - 1)
    large = msgspec.structs.replace(EVERY_NTH, maximum=2**31)
    huge = msgspec.structs.replace(EVERY_NTH, maximum=2**53 + 1)
    assert [record_of(p) for p in (small, large, huge)] == [Record.LONG, Record.DOUBLE, Record.DOUBLE]
    assert [types.needs_text(p) for p in (small, large, huge)] == [False, False, True]


@pytest.mark.parametrize("choices", [tuple(map(str, range(17))), ("x" * 26, "y")])
def test_choices_that_no_enum_record_holds_are_refused(choices: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be an enum PV"):
        record_of(msgspec.structs.replace(POLICY, choices=choices))


@pytest.mark.parametrize(
    ("parameter", "raw", "value"),
    [
        (EVERY_NTH, 5, 5),
        (EVERY_NTH, 5.0, 5),
        (EVERY_NTH, "7", 7),
        (EVERY_NTH, b"7", 7),
        (EVERY_NTH, 3.7, 3.7),  # the engine says why not
        (EVERY_NTH, "9007199254740993", 2**53 + 1),
        (POLICY, "modulo", "modulo"),
        (POLICY, 0, POLICY.choices[0]),
        (POLICY, "1", POLICY.choices[1]),
        (ENABLE, "Yes", True),
        (ENABLE, 0, False),
        (RUN_ID, b"", ""),
        (RUN_ID, b"scan 1", "scan 1"),
    ],
)
def test_what_clients_write_becomes_a_value(parameter: Parameter, raw: object, value: object) -> None:
    taken = from_pv(parameter, raw)  # type: ignore[arg-type]
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("parameter", "raw", "reason"),
    [
        (EVERY_NTH, "many", "must be a number, not 'many'"),
        (POLICY, 99, "must be one of send_every_nth"),
        (POLICY, 77.0, r"not 77$"),
        (POLICY, 0.5, "must be one of"),
        (ENABLE, "perhaps", "must be one of No, Yes"),
        (RUN_ID, "µ".encode(), "must be ASCII"),
        (RUN_ID, 5, "must be text"),
    ],
)
def test_what_cannot_become_a_value_is_refused_with_the_reason(
    parameter: Parameter, raw: str | bytes | float, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        from_pv(parameter, raw)


@given(st.sampled_from(sorted(PARAMETERS)))
def test_no_value_stays_none(key: str) -> None:
    assert to_pv(PARAMETERS[key], None) is None


@given(st.text(), st.integers(3, 300))
def test_text_is_always_ascii_and_fits(text: str, length: int) -> None:
    shown = text_to_pv(text, length)
    assert shown.isascii()
    assert "\0" not in shown
    assert len(shown) <= length


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=255))
def test_ascii_text_comes_back_as_it_was(text: str) -> None:
    assert from_pv(RUN_ID, str(to_pv(RUN_ID, text)).encode()) == text


def test_a_limit_that_is_missing_reads_nan() -> None:
    low, high = types.limits(PARAMETERS["source.rate"])
    assert low == 0
    assert math.isnan(high)
