"""The picture as a waveform: what is shown of one that is at hand while the engine's words come late."""

from __future__ import annotations

import asyncio
from typing import Any

from repstream_epics.areadetector.conversions import PICTURE
from repstream_epics.areadetector.image import ImageChannel, ImageFeed
from repstream_epics.channels import Head
from repstream_epics.states import NO_ALARM, NO_VALUE
from tests.engine.pictures.serving import picture, studio

PATIENCE = 20.0


class Fact:
    """A channel that keeps what it is given."""

    value: Any = None

    async def show(self, value: Any, alarm: Any, time: float, again: bool = False) -> None:
        self.value = value


def held(address: str, state: str) -> dict[str, Any]:
    sizes = {f"{PICTURE}image_height": 3, f"{PICTURE}image_width": 4}
    return {f"{PICTURE}address": address, f"{PICTURE}state": state, **sizes}


async def until_alarm(array: ImageChannel, alarm: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while (array.alarm.status, array.alarm.severity) != alarm:
            await asyncio.sleep(0.01)


def test_the_last_picture_is_shown_again_once_pictures_are_live_again() -> None:
    """The engine may say late that pictures are waited for, when the last one has come already."""

    async def run(address: str) -> None:
        facts = {
            name: Fact() for name in ("ArraySize0", "ArraySize1", "ArraySizeX", "ArraySizeY", "UniqueId")
        }
        array = ImageChannel(Head("T:Image", "waveform", "a picture"))
        feed = ImageFeed(array, facts)  # type: ignore[arg-type]
        try:
            for _ in range(2):
                await feed.show(held(address, "waiting"), 1.0)
                await until_alarm(array, NO_VALUE)
                await feed.show(held(address, "live"), 1.0)
                await until_alarm(array, NO_ALARM)
                assert list(array.value) == list(range(12))
                assert (facts["UniqueId"].value, facts["ArraySize0"].value) == (7, 4)
        finally:
            feed.close()

    with studio() as serving:
        serving.show(picture(7))
        asyncio.run(run(serving.address))
