"""Another kind of engine, as small as it can be: a camera with two regions, one stream, and no writer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from repstream.errors import Refused
from repstream.link.handles import PendingHandle
from repstream.parameters.catalogue import Command
from repstream.parameters.commands import Argument, CommandDeclaration
from repstream.parameters.configuration import Configuration, numbered
from repstream.parameters.facts import Access, Alarm, Counter, Kind, Section, Status, Unit, Value
from repstream.parameters.groups import REPEATER, Group, GroupDeclaration, Slots
from repstream.parameters.stream import StreamConfig
from repstream.protocol import Requester
from repstream.service.context import ServiceContext
from repstream.service.keeper import Keeper
from repstream.service.kind import EngineKind


class CameraConfig(Section):
    """Settings of the camera."""

    exposure: Annotated[float, Unit("s"), Access.ALWAYS] = Field(
        0.1, ge=0.001, le=10, title="Exposure time", description="Time for which the shutter is open."
    )
    gain: Annotated[Literal["low", "high"], Access.WHILE_IDLE] = Field(
        "low", title="Gain", description="Gain of the amplifier."
    )


class CameraStatus(Status):
    """What the camera says about itself."""

    images: Annotated[int, Counter(), Unit("images")] = Field(
        0, ge=0, le=10**9, title="Images taken", description="Images taken since the start."
    )
    temperature: Annotated[float | None, Unit("degC"), Alarm(warning_high=40, alarm_high=60)] = Field(
        None, title="Temperature", description="Temperature of the sensor."
    )


class RegionConfig(Section):
    """Settings of a region."""

    width: Annotated[int, Unit("pixels"), Access.ALWAYS] = Field(
        0, ge=0, le=10_000, title="Width", description="Width of the region."
    )


class RegionStatus(Status):
    """What is measured in a region."""

    mean: float = Field(0.0, ge=0, le=1e9, title="Mean", description="Mean value of the pixels.")


class CameraConfiguration(Configuration):
    """That of an engine, with a camera and regions."""

    camera: CameraConfig = CameraConfig()
    regions: Annotated[dict[str, RegionConfig], BeforeValidator(numbered(2))] = Field(default_factory=dict)


CAMERA, REGIONS = "camera", "regions"
TRIGGER = CommandDeclaration(
    "trigger",
    "Take images",
    "Take images now.",
    Argument(Kind.INT, "Number of images; omitted: one.", minimum=1, maximum=1000),
)
CLEAR = CommandDeclaration("clear", "Clear", "Forget what was measured.")
LENS_CAP = 13
"""A camera that is asked for this number of images has its cap on."""


class CameraKeeper(Keeper):
    """Takes images at once, and measures their width."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    def start(self) -> None:
        camera = self._context.status(CameraStatus, CAMERA)
        camera.temperature = 45.0
        self._context.show(camera, CAMERA)

    async def execute(
        self, command: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        number = int(argument or 1)
        if number == LENS_CAP:
            raise Refused(command.key, "the lens cap is on: take it off")
        camera = self._context.status(CameraStatus, CAMERA)
        camera.images += number
        self._context.show(camera, CAMERA)
        for slot, region in self._context.configuration.sections(REGIONS).items():
            measured = RegionStatus(mean=float(region.settings()["width"]))
            self._context.show(measured, REGIONS, int(slot))


class RegionKeeper(Keeper):
    """Forgets on request."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def execute(
        self, command: Command, argument: Value, requester: Requester, handle: PendingHandle
    ) -> None:
        self._context.show(RegionStatus(), REGIONS, command.slot)


_REPEATER = {group.name: group for group in REPEATER}

CAMERA_ENGINE = EngineKind(
    groups=(
        _REPEATER[Group.ENGINE],
        _REPEATER[Group.SOURCE],
        GroupDeclaration(CAMERA, "camera", CameraConfig, (CameraStatus,), (TRIGGER,)),
        GroupDeclaration(
            REGIONS, "region", RegionConfig, (RegionStatus,), (CLEAR,), slots=Slots.NUMBERED, count=2
        ),
        GroupDeclaration(
            Group.STREAM, "stream", StreamConfig, _REPEATER[Group.STREAM].status, slots=Slots.NAMED, count=1
        ),
    ),
    configuration=CameraConfiguration,
    keepers={
        CAMERA: lambda context, options: CameraKeeper(context),
        REGIONS: lambda context, options: RegionKeeper(context),
    },
)
