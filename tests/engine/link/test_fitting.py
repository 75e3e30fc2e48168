"""Which catalogues a front end that was made for another one fits."""

from __future__ import annotations

import msgspec
import pytest
from tests.toy_camera import CAMERA_ENGINE

from repstream.link.fitting import misfit
from repstream.parameters.catalogue import Catalogue, build
from repstream.parameters.facts import Kind

USUAL = build()
CAMERA = build(CAMERA_ENGINE.groups)


def with_changed(key: str, **facts: object) -> Catalogue:
    changed = msgspec.structs.replace(USUAL.parameters[key], **facts)
    return msgspec.structs.replace(USUAL, parameters={**USUAL.parameters, key: changed})


def test_a_catalogue_fits_itself_also_when_it_came_over_the_wire() -> None:
    there = msgspec.msgpack.decode(msgspec.msgpack.encode(USUAL), type=Catalogue)
    assert misfit(USUAL, USUAL) == misfit(USUAL, there) == ""


def test_limits_and_levels_of_an_engine_of_its_own_fit() -> None:
    assert misfit(USUAL, with_changed("streams.1.every_nth", maximum=5, alarm=None, title="x")) == ""


@pytest.mark.parametrize("facts", [{"kind": Kind.FLOAT}, {"unit": "s"}, {"choices": ("a",)}])
def test_another_type_does_not(facts: dict[str, object]) -> None:
    found = misfit(USUAL, with_changed("streams.1.every_nth", **facts))
    assert found == "streams.1.every_nth is of another type"


def test_more_slots_and_fewer_do_not() -> None:
    more = build(slots={"streams": 9})
    number = len(more.parameters) - len(USUAL.parameters)
    assert misfit(USUAL, more).startswith(f"streams.9.address and {number - 1} others are new")
    assert misfit(more, USUAL).startswith(f"streams.9.address and {number - 1} others are gone")


def test_another_kind_of_engine_does_not() -> None:
    found = misfit(USUAL, CAMERA)
    assert "are gone" in found and "camera.exposure and" in found and "camera.trigger" in found
