"""Engines by name and address."""

from __future__ import annotations

import pytest

from repstream.link.attach import DEFAULT_ADDRESS, addresses_of


def test_addresses_by_name() -> None:
    assert addresses_of(["tcp://a:1", "two=tcp://b:2"]) == {"repstream": "tcp://a:1", "two": "tcp://b:2"}


def test_nothing_given_is_the_default_engine() -> None:
    assert addresses_of([]) == {"repstream": DEFAULT_ADDRESS}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["localhost"], "not of the form"),
        (["a/b=tcp://h:1"], "not of the form"),
        (["a=tcp://h:1", "a=tcp://h:2"], "two engines have the name 'a'"),
    ],
)
def test_what_is_wrong_is_said(given: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        addresses_of(given)
