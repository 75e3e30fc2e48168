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
from repstream.parameters.facts import Access, Alarm, Role, Section, Unit
from repstream.parameters.groups import REPEATER, Group, GroupDeclaration, Slots
from repstream.parameters.stream import StreamConfig


class RegionConfig(Section):
    width: Annotated[int, Access.ALWAYS] = Field(
        0, ge=0, le=10_000, title="Width", description="Width of the region."
    )


class RegionStatus(Section):
    mean: float = Field(0.0, title="Mean", description="Mean of the pixels.")


class CameraConfiguration(Configuration):
    regions: Annotated[dict[str, RegionConfig], BeforeValidator(numbered(2))] = Field(default_factory=dict)


REGIONS = GroupDeclaration(
    "regions",
    "region",
    RegionConfig,
    (RegionStatus,),
    (CommandDeclaration("clear", "Clear", "Begin anew."),),
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
    with pytest.raises(Refused, match="4 are too many: there are 3 slots"):
        slots.assign(CameraConfiguration(streams=streams), CATALOGUE)


def test_one_section_is_replaced_wherever_it_stands() -> None:
    configuration = CameraConfiguration(streams={"live": StreamConfig()})
    wide = configuration.with_section("regions", "1", RegionConfig(width=7))
    assert [region.width for region in wide.sections("regions").values()] == [7, 0]  # type: ignore[attr-defined]
    source = configuration.source.changed({"id_step": 10})
    assert configuration.with_section("source", "", source).source.id_step == 10
    assert configuration.sections("nothing") == {}


class Twice(Section):
    other: int = Field(0, title="WIDTH", description="Another width.")


class Untitled(Section):
    mean: int = Field(0, description="Mean of the pixels.")


class TooLong(Section):
    mean: int = Field(0, title="m" * 41, description="Mean of the pixels.")


class Undescribed(Section):
    mean: int = Field(0, title="Mean")


class Foreign(Section):
    warm: Annotated[float, Unit("°C")] = Field(0.0, title="Warm", description="Temperature.")


class NeverSo(Section):
    on: Annotated[bool, Alarm(alarm_values=("on",))] = Field(
        False, title="On", description="Whether it is on."
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ((Twice,), "regions.1.width and regions.1.other have the same title 'WIDTH'"),
        ((Untitled,), "regions.1.mean needs a title of 1 to 40 characters"),
        ((TooLong,), "regions.1.mean needs a title of 1 to 40 characters"),
        ((Undescribed,), "regions.1.mean needs a description"),
        ((RegionStatus, RegionStatus), "regions.1.mean is declared twice"),
        ((Foreign,), "regions.1.warm: not every control system has the letters of '°C'"),
        ((NeverSo,), "regions.1.on never is 'on', so that cannot be an alarm"),
    ],
)
def test_a_declaration_that_lacks_something_is_refused(status: tuple[type[Section], ...], said: str) -> None:
    group = GroupDeclaration("regions", "region", RegionConfig, status, slots=Slots.NUMBERED, count=1)
    with pytest.raises(TypeError, match=said):
        build((group,))


def test_what_has_a_role_is_found_by_it() -> None:
    assert CATALOGUE.key(Role.NAME, "streams", 2) == "streams.2.name"
    with pytest.raises(KeyError):
        CATALOGUE.key(Role.NAME, "regions", 1)
