"""A simulated camera over Channel Access, areaDetector's and cam_server's names.

A line is a new image: its number, and where they change width, height and pixels of cam_server's; or
``bsread ADDRESS``.
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from caproto import ChannelType
from caproto.asyncio.server import start_server
from caproto.server import PVGroup, pvproperty
from caproto.server.records import register_record  # noqa: F401  makes records known

HEIGHT, WIDTH = 6, 8


class Camera(PVGroup):
    """Both conventions."""

    data = pvproperty(name="T:CAM:image1:ArrayData", value=[0] * HEIGHT * WIDTH, dtype=ChannelType.LONG)
    size_0 = pvproperty(name="T:CAM:image1:ArraySize0_RBV", value=WIDTH)
    size_1 = pvproperty(name="T:CAM:image1:ArraySize1_RBV", value=HEIGHT)
    picture = pvproperty(name="T:CAM:FPICTURE", value=[0] * HEIGHT * WIDTH, dtype=ChannelType.LONG)
    width = pvproperty(name="T:CAM:WIDTH", value=WIDTH)
    height = pvproperty(name="T:CAM:HEIGHT", value=HEIGHT)
    bsread = pvproperty(name="T:CAM:BSREADCONFIG", value="", dtype=ChannelType.STRING)
    init = pvproperty(name="T:CAM:INIT", value="INIT", dtype=ChannelType.STRING)
    # As newer ones have it: with the id of each array, which is posted after it.
    numbered = pvproperty(name="T:NEW:image1:ArrayData", value=[0] * HEIGHT * WIDTH, dtype=ChannelType.LONG)
    numbered_0 = pvproperty(name="T:NEW:image1:ArraySize0_RBV", value=WIDTH)
    numbered_1 = pvproperty(name="T:NEW:image1:ArraySize1_RBV", value=HEIGHT)
    unique_id = pvproperty(name="T:NEW:image1:UniqueId_RBV", value=0)


async def serve() -> None:
    """Serve until killed."""
    camera = Camera(prefix="")
    loop = asyncio.get_running_loop()

    async def take(_: object) -> None:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            first, *rest = line.split()
            if first == "bsread":
                await camera.bsread.write(rest[0])
                continue
            image = np.arange(HEIGHT * WIDTH) + int(first)
            if rest:
                await camera.width.write(int(rest[0]))
                await camera.height.write(int(rest[1]))
            await camera.data.write(image)
            await camera.picture.write(image[: int(rest[2])] if rest else image)
            await camera.numbered.write(image)
            await camera.unique_id.write(int(first))

    await start_server(camera.pvdb, startup_hook=take)


asyncio.run(serve())
