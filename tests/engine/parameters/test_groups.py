"""Another kind of engine is another list of groups: a camera with two regions, and streams by name."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BeforeValidator, Field, ValidationError

from repstream.errors import Refused
from repstream.parameters import slots
from repstream.parameters.catalogue import GroupFacts, build
from repstream.parameters.commands import CommandDeclaration
from repstream.parameters.configuration import Configuration, numbered
from repstream.parameters.facts import Access, Section
from repstream.parameters.groups import REPEATER, Group, GroupDeclaration, Slots
from repstream.parameters.stream import StreamConfig


class RegionConfig(Section):
    width: Annotated[int, Access.ALWAYS] = Field(0, ge=0, le=10_000, description="Width of the region.")


class RegionStatus(Section):
    mean: float = Field(0.0, description="Mean of the pixels.")


class CameraConfiguration(Configuration):
    regions: Annotated[dict[str, RegionConfig], BeforeValidator(numbered(2))] = Field(default_factory=dict)


REGIONS = GroupDeclaration(
    "regions",
    "region",
    RegionConfig,
    (RegionStatus,),
    (CommandDeclaration("clear", "Begin anew."),),
    slots=Slots.NUMBERED,
    count=2,
)
STREAMS = next(group for group in REPEATER if group.name == Group.STREAM)
CATALOGUE = build((STREAMS, REGIONS), {Group.STREAM: 3})


def test_a_catalogue_has_what_its_list_says() -> None:
    assert CATALOGUE.groups == {
        "streams": GroupFacts("streams", "stream", 3, named=True),
        "regions": GroupFacts("regions", "region", 2),
    }
    assert CATALOGUE.owners == (
        ("streams", 1), ("streams", 2), ("streams", 3), ("regions", 1), ("regions", 2)
    )  # fmt: skip
    assert CATALOGUE.named == ("streams",)
    assert [p.key for p in CATALOGUE.of("regions", 2)] == ["regions.2.width", "regions.2.mean"]
    assert list(CATALOGUE.commands) == ["regions.1.clear", "regions.2.clear"]


def test_numbered_slots_are_always_there() -> None:
    configuration = CameraConfiguration.model_validate({"regions": {"2": {"width": 5}}})
    assert [region.width for region in configuration.regions.values()] == [0, 5]
    assert list(CameraConfiguration().regions) == ["1", "2"]
    with pytest.raises(ValidationError, match="there is no '3', only 1, 2"):
        CameraConfiguration.model_validate({"regions": {"3": {}}})


def test_only_what_users_name_takes_a_slot() -> None:
    streams = {"live": StreamConfig(), "preview": StreamConfig()}
    configuration = slots.assign(CameraConfiguration(streams=streams), CATALOGUE)
    assert configuration.slots == {"streams.live": 1, "streams.preview": 2}
    assert slots.name_at(configuration, "streams", 2) == "preview"
    assert slots.name_at(configuration, "streams", 3) is None
    assert slots.name_at(configuration, "regions", 2) == "2"
    assert slots.name_at(configuration, "source", 0) == ""
    assert slots.key_with_slot(configuration, "regions.2.width") == "regions.2.width"
    assert slots.key_with_name(configuration, "streams.2.mode") == "streams.preview.mode"


def test_more_than_there_are_slots_are_refused() -> None:
    streams = {f"s{number}": StreamConfig() for number in range(4)}
    with pytest.raises(Refused, match="4 of them, but there are only 3 slots"):
        slots.assign(CameraConfiguration(streams=streams), CATALOGUE)


def test_one_section_is_replaced_wherever_it_stands() -> None:
    configuration = CameraConfiguration(streams={"live": StreamConfig()})
    wide = configuration.with_section("regions", "1", RegionConfig(width=7))
    assert [region.width for region in wide.sections("regions").values()] == [7, 0]  # type: ignore[attr-defined]
    source = configuration.source.changed({"id_step": 10})
    assert configuration.with_section("source", "", source).source.id_step == 10
    assert configuration.sections("engine") == {}
