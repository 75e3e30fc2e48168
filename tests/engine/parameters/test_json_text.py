from __future__ import annotations

import pytest
from pydantic import ValidationError

from repstream.parameters.json_text import parse_object
from repstream.parameters.writer import WriterConfig


@pytest.mark.parametrize("text", ["", " ", "{}", '{"a": {"b": [1, null, true, "x"]}}'])
def test_an_object_is_taken_and_an_empty_text_is_one(text: str) -> None:
    assert isinstance(parse_object(text), dict)
    assert WriterConfig(user_metadata=text).user_metadata == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "must be a JSON object"),
        ("sample A", "must be a JSON object"),
        ('{"a": NaN}', "no NaN"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ('{"a":' * 20 + "1" + "}" * 20, "16 levels"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "levels|characters"),
        ('{"a": "' + "x" * 17000 + '"}', "16384 characters"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        WriterConfig(user_metadata=text)
