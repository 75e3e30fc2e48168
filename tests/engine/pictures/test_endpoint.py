"""Which streams a picture may be of, and where these are heard."""

from __future__ import annotations

from typing import Any

import pytest

from repstream.parameters.configuration import Configuration
from repstream.pictures.endpoint import Endpoint, endpoint


def found(**stream: Any) -> Endpoint:
    settings = {"address": "tcp://*:9611", "mode": "PUB", **stream}
    return endpoint(Configuration.model_validate({"streams": {"live": settings}}), "live")


@pytest.mark.parametrize(
    ("bound", "heard"),
    [
        ("tcp://*:9611", "tcp://127.0.0.1:9611"),
        ("tcp://0.0.0.0:9611", "tcp://127.0.0.1:9611"),
        ("tcp://127.0.0.1:9611", "tcp://127.0.0.1:9611"),
        ("tcp://[::]:9611", "tcp://127.0.0.1:9611"),
        ("tcp://192.168.1.5:9611", "tcp://192.168.1.5:9611"),
        ("ipc:///tmp/live", "ipc:///tmp/live"),
    ],
)
def test_a_stream_is_heard_on_this_machine(bound: str, heard: str) -> None:
    assert found(address=bound) == Endpoint(heard)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ({"mode": "PUSH"}, "shares its frames out"),
        ({"on_slow": "block"}, "waits for its consumers"),
        ({"enable": False}, "not enabled"),
        ({"address": "tcp://*:*"}, "port of .* is not fixed"),
        ({"address": "tcp://*:0"}, "port of .* is not fixed"),
        ({"address": "tcp://eth0;1.2.3.4"}, "port of .* is not fixed"),
    ],
)
def test_a_stream_that_would_be_disturbed_is_refused_with_the_reason(
    stream: dict[str, Any], reason: str
) -> None:
    refused = found(**stream)
    assert refused.address == ""
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(refused.reason)


def test_a_stream_that_is_not_there_is_named_with_those_that_are() -> None:
    configuration = Configuration.model_validate({"streams": {"live": {}, "all": {}}})
    assert endpoint(configuration, "preview").reason == "there is no stream 'preview'; there are: live, all"
