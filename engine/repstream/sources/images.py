"""Synthetic detector images that anybody can compute again from the frame id and a seed.

So a file can be checked by content, frame by frame, by somebody who was not there. An image shows the
powder rings and the single reflections of a sample with counting noise, the shadow of a beam stop, hot
and dead pixels, a beam that wanders and breathes, and in its first pixels the frame id as a bar code. A
frame costs one copy of a kept image and the addition of the beam.
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
STEPS = 240
"""Frames that the beam needs for one round."""
LEVELS = 16
"""Intensities of the beam."""
BREATHS = 5
"""Times that the beam gets brighter and darker in one round."""
SAMPLE, BEAM = 0.3, 0.65
"""Most that sample and beam have of the full scale; together they stay below it."""
HOT = 20_000
"""Of this many pixels, one is hot and one is dead."""

Image = NDArray[Any]


class Images:
    """The images of one detector: `images(frame_id)` is a fresh C-contiguous array.

    `shape` is (height, width) in pixels, `dtype` a numpy number type; `seed` picks noise and reflections.
    """

    def __init__(self, shape: tuple[int, int], dtype: DTypeLike, seed: int = 0) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.full_scale = _full_scale(self.dtype)
        sample = _sample(shape, seed)
        self._bases = [self._counted(sample, seed, n) for n in range(BASES)]
        beam = _beam(max(1, min(shape) // 14))
        shares = BEAM * self.full_scale * (0.7 + 0.3 * np.arange(LEVELS) / (LEVELS - 1))
        self._beams = [(beam * share).astype(self.dtype) for share in shares]
        self._code = np.arange(ID_PIXELS)[-int(np.prod(shape)) :]

    def __call__(self, frame_id: int) -> Image:
        image = self._bases[frame_id % BASES].copy()
        self._add_beam(image, frame_id)
        bits = np.unpackbits(np.frombuffer(frame_id.to_bytes(8, "big"), np.uint8))
        image.reshape(-1)[: len(self._code)] = np.where(bits[self._code], self.full_scale, 0)
        return image

    def _counted(self, sample: NDArray[np.float32], seed: int, pattern: int) -> Image:
        """The sample with the noise of counting, hot and dead pixels."""
        counts = sample * (SAMPLE * self.full_scale)
        noise = _normal(sample.size, seed * BASES + pattern).reshape(sample.shape)
        counts = np.clip(counts + np.sqrt(counts + 1) * noise, 0, SAMPLE * self.full_scale)
        flat = counts.reshape(-1)
        number = sample.size // HOT
        places = (_uniform(2 * number, seed + 7) * np.float32(sample.size)).astype(np.int64) % sample.size
        flat[places[:number]] = SAMPLE * self.full_scale
        flat[places[number:]] = 0
        image: Image = counts.astype(self.dtype)
        return image

    def _add_beam(self, image: Image, frame_id: int) -> None:
        """It goes round on a curve like a lying eight, below the middle of the image."""
        height, width = self.shape
        turn = 2 * np.pi * (frame_id % STEPS) / STEPS
        level = int((LEVELS - 1) * (0.5 + 0.5 * np.sin(BREATHS * turn)) + 0.5)
        beam = self._beams[level]
        side = min(len(beam), height, width)
        top = int((height - side) * (0.66 + 0.07 * np.sin(2 * turn)))
        left = int((width - side) * (0.5 + 0.22 * np.cos(turn)))
        image[top : top + side, left : left + side] += beam[:side, :side]


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


def _sample(shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Brightness 0 … 1 of powder rings and reflections around the middle, with the shadow of a beam stop."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) * (n / max(shape)) for n in shape)
    radius = np.hypot(y[:, None], x[None, :])
    sample = 0.16 * np.exp(-2.5 * radius)
    for place, height in ((0.21, 0.3), (0.34, 0.5), (0.43, 0.2), (0.58, 0.3), (0.71, 0.15), (0.86, 0.2)):
        sample += height * np.exp(-(((radius - place) / 0.008) ** 2))
    places = _uniform(2 * 80, seed + 3).reshape(2, -1)
    for at_y, at_x in zip(*(places * 2 - 1), strict=True):
        _add_reflection(sample, y, x, float(at_y), float(at_x))
    sample[radius < 0.06] *= 0.03
    sample[(y[:, None] < 0) & (np.abs(x[None, :]) < 0.012)] *= 0.1  # what holds the beam stop
    clipped: NDArray[np.float32] = np.clip(sample, 0, 1).astype(np.float32)
    return clipped


def _add_reflection(
    sample: NDArray[np.float32], y: NDArray[np.float32], x: NDArray[np.float32], at_y: float, at_x: float
) -> None:
    width, reach = 0.004, 0.016
    rows, columns = (slice(*np.searchsorted(c, (at - reach, at + reach))) for c, at in ((y, at_y), (x, at_x)))
    near_y, near_x = y[rows, None] - at_y, x[None, columns] - at_x
    fall = np.exp(-2 * np.hypot(at_y, at_x))
    sample[rows, columns] += fall * np.exp(-((near_y / width) ** 2) - (near_x / width) ** 2)


def _normal(size: int, seed: int) -> NDArray[np.float32]:
    """About normal numbers of mean 0 and deviation 1, between -3 and 3: three uniform ones added."""
    z = _scrambled(size, seed)
    added = (z >> np.uint64(43)) + ((z >> np.uint64(22)) & np.uint64(2**21 - 1)) + (z & np.uint64(2**21 - 1))
    numbers: NDArray[np.float32] = added.astype(np.float32) * np.float32(2 / 2**21) - np.float32(3)
    return numbers


def _uniform(size: int, seed: int) -> NDArray[np.float32]:
    """`size` numbers 0 … 1."""
    numbers: NDArray[np.float32] = (_scrambled(size, seed) >> np.uint64(40)).astype(np.float32)
    return numbers / np.float32(2**24)


def _scrambled(size: int, seed: int) -> NDArray[np.uint64]:
    """`size` numbers of 64 bits, by the finaliser of SplitMix64 over position and seed.

    Not numpy's generators: their streams may change from one version to the next.
    """
    z = np.arange(size, dtype=np.uint64)
    z += np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z


def _beam(radius: int) -> NDArray[np.float32]:
    """A bell, twice as wide as high, in a square."""
    across = np.arange(-radius, radius + 1, dtype=np.float32) / max(radius / 3, 0.5)
    beam: NDArray[np.float32] = np.exp(-((2 * across[:, None]) ** 2) / 2 - across[None, :] ** 2 / 2)
    return beam
