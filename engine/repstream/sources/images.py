"""Synthetic detector images that anybody can compute again from the frame id and a seed.

So a file can be checked by content, frame by frame, by somebody who was not there. An image shows
powder rings with noise, a bright spot that walks round them, and in its first pixels the frame id
as a bar code. Only integers decide where anything lies; a frame costs one copy of a kept image.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

BASES = 4
"""Noise patterns kept; consecutive frames show different ones."""
ID_PIXELS = 64
"""Pixels of the bar code, most significant bit first."""
STEPS = 96
"""Frames that the spot needs for one round."""

Image = NDArray[Any]


class Images:
    """The images of one detector: `images(frame_id)` is a fresh C-contiguous array.

    `shape` is (height, width) in pixels, `dtype` a numpy number type; `seed` picks the noise.
    """

    def __init__(self, shape: tuple[int, int], dtype: DTypeLike, seed: int = 0) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.full_scale = _full_scale(self.dtype)
        rings = _rings(shape)
        self._bases = [self._noisy(rings, seed * BASES + n) for n in range(BASES)]
        self._spot = _spot(max(1, min(shape) // 24))
        self._code = np.arange(ID_PIXELS)[-int(np.prod(shape)) :]

    def __call__(self, frame_id: int) -> Image:
        image = self._bases[frame_id % BASES].copy()
        self._add_spot(image, frame_id)
        bits = np.unpackbits(np.frombuffer(frame_id.to_bytes(8, "big"), np.uint8))
        image.reshape(-1)[: len(self._code)] = np.where(bits[self._code], self.full_scale, 0)
        return image

    def _noisy(self, rings: NDArray[np.float32], seed: int) -> Image:
        noise = _noise(rings.size, seed).reshape(rings.shape)
        return (rings * (0.02 + 0.18 * noise) * self.full_scale).astype(self.dtype)

    def _add_spot(self, image: Image, frame_id: int) -> None:
        height, width = self.shape
        side = min(len(self._spot), height, width)
        angle = 2 * np.pi * (frame_id % STEPS) / STEPS
        top = int((height - side) * (0.5 + 0.35 * np.sin(angle)))
        left = int((width - side) * (0.5 + 0.35 * np.cos(angle)))
        patch = image[top : top + side, left : left + side]
        spot = (self._spot[:side, :side] * (self.full_scale * 0.9)).astype(self.dtype)
        np.maximum(patch, spot, out=patch)


@lru_cache(maxsize=2)
def images(shape: tuple[int, int], dtype: str, seed: int = 0) -> Images:
    """The images of a shape, type and seed, kept for the next call."""
    return Images(shape, dtype, seed)


def image(frame_id: int, shape: tuple[int, int], dtype: DTypeLike, seed: int = 0) -> Image:
    """The image that the simulated detector sends as frame `frame_id`."""
    return images(shape, np.dtype(dtype).name, seed)(frame_id)


def frame_id_of(image: Image) -> int:
    """The frame id that an image's bar code says; needs 64 pixels or more."""
    bits = (image.reshape(-1)[:ID_PIXELS] != 0).astype(np.uint8)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _full_scale(dtype: np.dtype[Any]) -> int:
    # 14 bits as of many detectors, so that wide types look the same as narrow ones.
    return min(int(np.iinfo(dtype).max), 16_000) if dtype.kind in "iu" else 16_000


def _rings(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Brightness 0 … 1 of powder rings around the middle, with the shadow of a beam stop."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) * (n / max(shape)) for n in shape)
    radius = np.hypot(y[:, None], x[None, :])
    rings = 0.35 * np.exp(-2.0 * radius)
    for place, height in ((0.21, 0.55), (0.34, 1.0), (0.43, 0.4), (0.58, 0.6), (0.71, 0.3), (0.86, 0.45)):
        rings += height * np.exp(-(((radius - place) / 0.012) ** 2))
    rings[radius < 0.05] = 0
    clipped: NDArray[np.float32] = np.clip(rings, 0, 1).astype(np.float32)
    return clipped


def _noise(size: int, seed: int) -> NDArray[np.float32]:
    """`size` numbers 0 … 1, by the finaliser of SplitMix64 over position and seed.

    Not numpy's generators: their streams may change from one version to the next.
    """
    z = np.arange(size, dtype=np.uint64)
    z += np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    noise: NDArray[np.float32] = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**24)
    return noise


def _spot(radius: int) -> NDArray[np.float32]:
    across = np.arange(-radius, radius + 1, dtype=np.float32) / max(radius / 2, 0.5)
    spot: NDArray[np.float32] = np.exp(-(across[:, None] ** 2) - across[None, :] ** 2)
    return spot
