"""The newest images of an acquisition without a file, whole, as Lima keeps them in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from repstream.parameters.catalogue import key_of
from repstream.parameters.facts import Value
from repstream.pictures.link import GROUP, PictureLink
from repstream.pictures.picture import FULL, Picture
from repstream.protocol import Subscription

SLOT = 1
"""The picture whose images these are."""

MOST_BYTES = 256 << 20
PATIENCE = 1.0
"""Seconds that an image may take from the engine's input to here; the device answers nobody meanwhile."""


class Memory:
    """Images from `begin` to `end` by id, the newest within `MOST_BYTES`.

    As picture 1 takes them from its stream. Filled in the thread of the pictures, used from any.
    """

    def __init__(self, link: PictureLink, read: Callable[[str], Value]) -> None:
        self._link, self._read = link, read
        self._came = threading.Condition()
        self._images: dict[int, NDArray[Any]] = {}
        self._nbytes = 0
        self._following: Subscription | None = None

    def begin(self) -> None:
        """Keep what comes from now on, and nothing of before."""
        self.end()
        with self._came:
            self._images.clear()
            self._nbytes = 0
        if self._link.may_come(SLOT) and (pictures := self._link.of(SLOT)) is not None:
            self._following = pictures.subscribe(SLOT, self._take, FULL)

    def end(self) -> None:
        """Take no more; what is kept stays."""
        if self._following is not None:
            self._following.close()
            self._following = None

    def image(self, image_id: int) -> NDArray[Any]:
        """The image of an id that has come in or is about to; raises `ValueError` where it was not kept."""
        with self._came:
            self._came.wait_for(lambda: max(self._images, default=-1) >= image_id, PATIENCE)
            if image_id in self._images:
                return self._images[image_id]
            kept = ", ".join(map(str, sorted(self._images)[-8:]))
        raise ValueError(f"id {image_id} is not in memory: {self._why()}; the last ids: {kept or 'none'}")

    def newest(self, first_id: int, last_id: int) -> int | None:
        """The highest id that is kept, from the first to the last; waits for the last, None: none is."""
        with self._came:
            self._came.wait_for(lambda: max(self._images, default=-1) >= last_id, PATIENCE)
            return max((i for i in self._images if first_id <= i <= last_id), default=None)

    def _take(self, picture: Picture) -> None:
        with self._came:
            self._drop(picture.image_id)
            self._images[picture.image_id] = picture.data
            self._nbytes += picture.data.nbytes
            while self._nbytes > MOST_BYTES and len(self._images) > 1:
                self._drop(next(iter(self._images)))
            self._came.notify_all()

    def _drop(self, image_id: int) -> None:
        if (image := self._images.pop(image_id, None)) is not None:
            self._nbytes -= image.nbytes

    def _why(self) -> str:
        stream, rate = (self._read(key_of(GROUP, SLOT, field)) for field in ("stream", "rate"))
        if not stream:
            return f"that needs picture {SLOT}, and {GROUP}.{SLOT}.stream names no stream"
        return (
            f"of stream {stream} at most {rate:g} a second ({GROUP}.{SLOT}.rate) are kept, the last "
            f"{MOST_BYTES >> 20} MiB"
        )
