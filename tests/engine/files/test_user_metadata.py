from __future__ import annotations

import json
import tempfile
from pathlib import Path

import h5py
from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.files import Placeholder
from repstream.files.user_metadata import fields
from repstream.parameters.json_text import parse_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def test_single_values_with_nexus_names_become_fields() -> None:
    text = '{"a": 1, "b c": 2, "s": {"t": true, "json": "x", "l": [1]}, "n": null, "json": 5, "x": 1e3}'
    assert list(fields(text)) == [
        (("a",), 1),
        (("s", "t"), 1),
        (("s", "json"), "x"),
        (("x",), 1000.0),
    ]


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["a", "b", "json"]), VALUES, max_size=4))
def test_any_object_can_be_kept(found: dict[str, object]) -> None:
    text = json.dumps(found)
    assert parse_object(text) == found
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        Placeholder.create(path, "det", {}, user_metadata=text).finish({})
        with h5py.File(path) as file:
            assert file["/entry/user_metadata/json"].asstr()[()] == text
