"""What a configuration is after parts of it were given anew."""

from __future__ import annotations

from typing import Any

import pytest

from repstream.parameters.merging import merged

HELD = {"folder": "/data", "file_name": "a", "file_template": "%s%s.h5", "num_images": 3}


@pytest.mark.parametrize(
    ("held", "part", "found"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3, "z": 4}}, {"a": {"x": 1, "y": 3, "z": 4}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (None, {"a": 1}, {"a": 1}),
        ({}, {"a": {"b": {}}}, {"a": {"b": {}}}),
        (HELD, {"output_file": "/x/y.h5"}, {"num_images": 3, "output_file": "/x/y.h5"}),
        (
            HELD,
            {"output_file": "/x/y.h5", "folder": "/z"},
            {"num_images": 3, "output_file": "/x/y.h5", "folder": "/z"},
        ),
    ],
)
def test_a_part_takes_the_place_of_what_is_held(held: Any, part: Any, found: Any) -> None:
    assert merged(held, part) == found
