"""What people read when a configuration or a key is wrong: what is wrong, and what exists."""

from __future__ import annotations

import json

import pytest

from repstream.errors import InvalidValue, unknown_key
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration

KNOWN = ["engine.state", "streams.live.every_nth", "streams.live.policy", "writers.main.folder"]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {"streams": {"live": {"every_nht": 3}}},
            "streams.live.every_nht: there is no field 'every_nht'; did you mean every_nth?",
        ),
        ({"steams": {}}, "steams: there is no field 'steams'; did you mean streams?"),
        ({"wombat": {}}, "wombat: there is no field 'wombat', only schema_version, "),
        ({"source": {"address": "9990:host"}}, "source.address: must be an address that begins with tcp://"),
        ({"writers": {"main": {"detector_name": "a b"}}}, "must be a name of letters, digits, _ . and -"),
        ({"source": {"id_step": 0}}, "source.id_step: must be 1 or more, not 0"),
        ({"source": {"id_step": 1.5}}, "source.id_step: must be a whole number, not 1.5"),
        ({"source": {"mode": "PUSH"}}, "source.mode: must be one of 'PULL' or 'SUB', not 'PUSH'"),
        ({"source": []}, r"source: must be a JSON object, not \[\]"),
        ({"writers": {"main": {"file_template": "%d"}}}, "writers.main.*: must be a C format"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong_where(tree: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValue, match=said) as refused:
        storage.parse(json.dumps(tree), "configure", Configuration)
    assert "^" not in str(refused.value)
    assert "permitted" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said", "allowed"),
    [
        ("engine.sate", "engine has no parameter 'sate'; did you mean state?", ("engine.state",)),
        (
            "streams.lvie.policy",
            "there is no 'streams.lvie'; did you mean streams.live?",
            ("streams.live.policy",),
        ),
        ("streams.live.colour", "streams.live has no parameter 'colour', only every_nth, policy", ()),
        ("wombat", "there is no 'wombat', only engine, streams.live, writers.main", ()),
    ],
)
def test_an_unknown_key_says_what_was_meant_or_exists(
    given: str, said: str, allowed: tuple[str, ...]
) -> None:
    error = unknown_key(given, "parameter", KNOWN)
    assert (error.reason, error.allowed) == (said, allowed)
