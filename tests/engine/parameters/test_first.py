"""What an engine begins with."""

from __future__ import annotations

from repstream.parameters import slots
from repstream.parameters.catalogue import build
from repstream.parameters.first import PREVIEW, first_configuration
from repstream.pictures.endpoint import endpoint


def test_an_engine_without_a_configuration_has_a_picture() -> None:
    configuration = slots.assign(first_configuration(), build())
    assert configuration.pictures["1"].stream == PREVIEW
    assert endpoint(configuration, PREVIEW).address == "tcp://127.0.0.1:9608"


def test_an_engine_without_a_configuration_has_a_writer() -> None:
    configuration = slots.assign(first_configuration(), build())
    assert slots.name_at(configuration, "writers", 1) == "main"


def test_the_first_stream_of_a_user_has_the_first_slot() -> None:
    mine = first_configuration().model_dump(mode="json")
    mine["streams"]["live"] = {}
    configuration = slots.assign(type(first_configuration()).model_validate(mine), build())
    assert slots.name_at(configuration, "streams", 1) == "live"
    assert slots.name_at(configuration, "streams", 8) == PREVIEW
