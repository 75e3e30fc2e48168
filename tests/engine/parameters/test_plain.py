"""Values as scripts have them become values that an engine takes, or are refused."""

from __future__ import annotations

import enum
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import InvalidValue
from repstream.parameters.plain import plain


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.int64(7), 7),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("live"), "live"),
        (Path("/data/scan.h5"), "/data/scan.h5"),
        (Colour.RED, "red"),
        (None, None),
    ],
)
def test_what_holds_a_plain_value_becomes_it(value: object, wanted: object) -> None:
    made = plain("key", value)
    assert (made, type(made)) == (wanted, type(wanted))


def test_mappings_and_lists_become_json() -> None:
    given = {
        "sample": {"name": "A", "temperature": np.float64(4.2)},
        "file": Path("/x"),
        "list": [np.int8(1)],
    }
    assert json.loads(str(plain("key", given))) == {
        "sample": {"name": "A", "temperature": 4.2},
        "file": "/x",
        "list": [1],
    }


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        "\ud800",
        object(),
        {"a": object()},
        {"a": float("nan")},
        {1, 2},
        b"x",
        1j,
        np.zeros(3),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_key(value: object) -> None:
    with pytest.raises(InvalidValue, match=r"writers\.main\.num_images refused"):
        plain("writers.main.num_images", value)


@given(st.one_of(st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.none()))
def test_plain_values_stay_what_they_are(value: object) -> None:
    made = plain("key", value)
    assert (made, type(made)) == (value, type(value))
