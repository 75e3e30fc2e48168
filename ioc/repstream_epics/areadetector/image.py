"""The picture of slot 1 as a waveform: asked for only while a client looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from caproto import ChannelFloat

from repstream.parameters.facts import Value
from repstream.pictures.picture import Picture
from repstream.pictures.remote import RemotePictures
from repstream.protocol import Subscription
from repstream_epics.areadetector.conversions import MAX_LONG, PICTURE
from repstream_epics.channels import Channel, Head
from repstream_epics.fields import Facts
from repstream_epics.states import NO_ALARM, NO_VALUE, Severity

log = logging.getLogger(__name__)

LONGEST = 4_194_304
"""Samples of a picture at most: 2048 × 2048, twice as many as one has unless it was set otherwise."""

SLOT = 1
LOOK = 5.0
"""Seconds for which pictures are taken after a client has read one."""

_PATIENCE = 0.25
"""Seconds that a reader waits for a picture that is newer than the one at hand; ophyd gives up after 1 s."""


class ImageChannel(Channel, ChannelFloat):  # type: ignore[misc]  # caproto is untyped
    """An array of single precision, which `looked` hears of whenever somebody reads or subscribes."""

    looked: Callable[[float], asyncio.Future[None]] | None = None

    def __init__(self, head: Head) -> None:
        super().__init__(head, {"value": np.zeros(0, np.float32), "max_length": LONGEST})

    def _facts(self) -> Facts:
        return replace(super()._facts(), element="FLOAT")

    @property
    def is_watched(self) -> bool:
        """Whether anybody has subscribed."""
        return any(subs for by_sync in self._queues.values() for s in by_sync.values() for subs in s.values())

    async def show(self, value: Any, alarm: Severity, time: float, again: bool = False) -> None:
        """As any channel; every picture is a new value."""
        self._shown = None
        await super().show(value, alarm, time, again=True)

    async def subscribe(self, queue: Any, sub_spec: Any, sub: Any) -> None:
        await super().subscribe(queue, sub_spec, sub)
        if self.looked is not None:
            self.looked(0.0)

    async def read(self, data_type: Any) -> Any:
        if self.looked is not None:
            await self.looked(_PATIENCE)
        return await super().read(data_type)


class ImageFeed:
    """Fills the waveform, and before it what belongs to the picture; fills `view.Binding`."""

    def __init__(self, array: ImageChannel, facts: Mapping[str, Channel]) -> None:
        self._array = array
        self._facts = facts
        self._pictures: RemotePictures | None = None
        self._wish: Subscription | None = None
        self._number = 0
        self._live = False
        self._showing = asyncio.Lock()
        self._looked = float("-inf")
        self._came = asyncio.Event()
        array.looked = self._look

    @property
    def keys(self) -> Sequence[str]:
        fields = ("address", "state", "image_height", "image_width")
        return [f"{PICTURE}{field}" for field in fields]

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        """Go where the pictures are; look once, so that clients find the sizes of a picture there."""
        address = str(held[f"{PICTURE}address"] or "")
        if address != (self._pictures.address if self._pictures else ""):
            self.close()
            self._pictures = RemotePictures(address) if address else None
        self._live = held[f"{PICTURE}state"] == "live"
        if not self._live:
            self._give_up()  # the picture at hand is shown again once this is live, new or not
            await self._array.show(None, NO_VALUE, time)
        self._ask()

    def close(self) -> None:
        """Ask for no more pictures."""
        self._give_up()
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None

    def _give_up(self) -> None:
        if self._wish is not None:
            self._wish.close()
        self._wish, self._number = None, 0

    def _look(self, patience: float) -> asyncio.Future[None]:
        """Somebody looks; the result comes with a picture that is new, or after `patience` seconds."""
        loop = asyncio.get_running_loop()
        fresh = self._array.is_watched or loop.time() < self._looked + LOOK
        self._looked = loop.time()
        self._ask()
        if fresh or not patience or self._pictures is None:
            return asyncio.ensure_future(asyncio.sleep(0))
        self._came.clear()
        return asyncio.ensure_future(self._wait(patience))

    async def _wait(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._came.wait()
        except TimeoutError:
            pass

    def _ask(self) -> None:
        if self._pictures is None or self._wish is not None or not self._live:
            return
        loop = asyncio.get_running_loop()

        def take(picture: Picture) -> None:  # in the pictures' thread
            try:
                loop.call_soon_threadsafe(lambda: loop.create_task(self._take(picture)))
            except RuntimeError:
                log.debug("a picture came after the end")

        self._wish = self._pictures.next(SLOT, take, after=self._number)

    async def _take(self, picture: Picture) -> None:
        if not self._live:
            return
        self._wish, self._number = None, picture.number
        async with self._showing:
            await self._show(picture)
        self._came.set()
        if self._array.is_watched or asyncio.get_running_loop().time() < self._looked + LOOK:
            self._ask()

    async def _show(self, picture: Picture) -> None:
        if picture.data.size > LONGEST:
            log.warning("a picture of %d samples does not fit into %d", picture.data.size, LONGEST)
            await self._array.show(None, NO_VALUE, picture.time)
        else:
            await self._publish(picture)

    async def _publish(self, picture: Picture) -> None:
        height, width = picture.data.shape
        sizes = {"ArraySize0": width, "ArraySize1": height, "ArraySizeX": width, "ArraySizeY": height}
        for name, value in {**sizes, "UniqueId": min(picture.image_id, MAX_LONG)}.items():
            await self._facts[name].show(value, NO_ALARM, picture.time)
        flat = picture.data.astype(np.float32).reshape(-1)
        await self._array.show(flat, NO_ALARM, picture.time)
