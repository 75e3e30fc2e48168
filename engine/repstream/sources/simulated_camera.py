"""A simulated camera: the picture of a beam on a screen, with noise and dead pixels.

The beam is exp(-(x² + y²)), where x goes from -20 to 20 along the width, y from -100 to 100 along the height;
for an image that is not static both ends of both move by less than 1, anew each time, so the beam wanders
and breathes. There is noise of 0 … 0.1 of the full scale everywhere, 100 pixels are dead, and nothing is
brighter than 0.9 of it. The full scale is 65535, or the greatest number of a type that does not reach so far.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.messages.ntndarray import message_of, time_of
from repstream.sources.made import MadeSource
from repstream.sources.simulation import Pace

WIDTH, HEIGHT, RATE = 1280, 960, 10.0
REACH_X, REACH_Y = 20.0, 100.0
NOISE, CEILING, FULL_SCALE = 0.1, 0.9, 65535
DEAD = 100
IMAGE_TYPES = ("beam", "raw", "static_beam", "static_raw")
PIXEL_TYPES = ("uint16", "uint8", "uint32", "int8", "int16", "int32", "float32", "float64")


class BeamImages:
    """`image()` is the next picture, (height, width) of `dtype`; raw ones have no beam, static ones stay."""

    def __init__(
        self,
        width: int = WIDTH,
        height: int = HEIGHT,
        image_type: str = "beam",
        dtype: str = PIXEL_TYPES[0],
        seed: int | None = None,
    ) -> None:
        self._dtype = np.dtype(dtype)
        most = FULL_SCALE if self._dtype.kind == "f" else int(np.iinfo(self._dtype).max)
        self._full_scale = np.float32(min(most, FULL_SCALE))
        self._random = np.random.default_rng(seed)
        self._size = width, height
        self._has_beam = image_type.endswith("beam")
        self._dead = self._random.integers(0, width * height, DEAD)
        self._still = self._make(0.0) if image_type.startswith("static") else None

    def image(self) -> NDArray[Any]:
        return self._make(1.0) if self._still is None else self._still

    def _make(self, jitter: float) -> NDArray[Any]:
        width, height = self._size
        light = self._random.random((height, width), dtype=np.float32)
        light *= np.float32(NOISE)
        if self._has_beam:
            light += self._bell(REACH_Y, height, jitter)[:, None] * self._bell(REACH_X, width, jitter)
        light.reshape(-1)[self._dead] = 0
        np.minimum(light, np.float32(CEILING), out=light)
        light *= self._full_scale
        return light.astype(self._dtype)

    def _bell(self, reach: float, number: int, jitter: float) -> NDArray[np.float32]:
        first, last = self._random.random(2) * jitter
        places = np.linspace(-reach - first, reach + last, number, dtype=np.float32)
        bell: NDArray[np.float32] = np.exp(-(places**2))
        return bell


def open_simulation(images: BeamImages, rate: float = RATE) -> MadeSource:
    """The source of these pictures, `rate` a second."""
    stop = Event()

    def messages() -> Iterator[Sequence[Any]]:
        pace = Pace(rate)
        number = 0
        while not stop.is_set():
            pace.wait(stop)
            yield message_of(number, images.image(), time_of(*divmod(time.time_ns(), 10**9)))
            number += 1

    return MadeSource(messages(), stop)
