"""A picture: one image of a stream, reduced for those who look, with what was counted in it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Rule = Literal["mean", "sum", "maximum"]
"""How the pixels that become one sample are taken together."""


class Box(msgspec.Struct, frozen=True):
    """Part of an image, in pixels of the full image; `y`, `x` is its first row and column.

    A `height` or `width` of 0 reaches to the edge.
    """

    y: int = 0
    x: int = 0
    height: int = 0
    width: int = 0


class View(msgspec.Struct, frozen=True):
    """What somebody wants to see of an image.

    `box`: which part of the full image, None for all of it. `size`: the most rows and columns that
    the picture may have, None for every pixel as it came. `rule`: how pixels are taken together
    where there are more; None leaves it to the slot. Two clients with equal views share one picture.
    """

    box: Box | None = None
    size: tuple[int, int] | None = None
    rule: Rule | None = None


FULL = View()
"""The whole image, every pixel as it came: what is saved."""


class Region(msgspec.Struct, frozen=True):
    """A named part of the image and what was counted in it; `box` is clipped to the image.

    `pixels` were counted, the good ones. `sum` is exact for integers as long as it fits into 64 bits.
    `mean`, `minimum` and `maximum` are None without pixels.
    """

    name: str
    box: Box
    pixels: int
    sum: int | float
    mean: float | None
    minimum: int | float | None = None
    maximum: int | float | None = None


class Histogram(msgspec.Struct, frozen=True):
    """`counts` of pixels in bins of equal width from `low` to `high`, in the values of the image.

    Taken from a sample of the pixels: the share of a bin counts, not its height.
    """

    counts: tuple[int, ...]
    low: float
    high: float


class Statistics(msgspec.Struct, frozen=True):
    """What was counted in the slot's region of the full image, before anything was reduced.

    Only good pixels count, `pixels` of them; `bad` is the number of those that are masked, NaN or
    infinite. `sum` is exact for integers as long as it fits into 64 bits. `saturated`: pixels at or above
    `saturation`, which is None where none is known. `centre`: centre of mass, `width`: standard deviation
    of the intensity about it, both (y, x) in pixels of the full image, None where there is no intensity.
    What has no pixels is None.
    """

    pixels: int
    bad: int
    minimum: int | float | None
    maximum: int | float | None
    mean: float | None
    sum: int | float
    saturated: int
    saturation: int | float | None
    centre: tuple[float, float] | None
    width: tuple[float, float] | None
    regions: tuple[Region, ...] = ()
    histogram: Histogram | None = None


class Picture(msgspec.Struct, frozen=True, eq=False):
    """One image of a slot, reduced.

    `slot` counts from 1. `number` rises with each image of the slot, beyond a restart too, so that it
    distinguishes two pictures even where a detector repeats its ids. `time`: the source's own time of the
    image in Unix seconds, else that of its arrival. `received`: Unix seconds at which the pictures'
    process got it. `full_shape` (height, width) and `dtype` (numpy name) are those of the image as it
    came. `origin`: row and column of ``data[0, 0]`` in the full image; `step`: rows and columns of it
    that one sample stands for (the last sample may stand for fewer). `data` has two dimensions, is
    read-only and in native byte order; its type is that of the image, or a wider one where pixels were
    summed. `bad` has the shape of `data` and is true where a sample stands for bad pixels only (masked,
    NaN or infinite), which `data` has as 0; None where there are none. `statistics` are of the same
    image.
    """

    slot: int
    number: int
    image_id: int
    time: float
    received: float
    full_shape: tuple[int, int]
    dtype: str
    origin: tuple[int, int]
    step: tuple[int, int]
    data: NDArray[Any]
    statistics: Statistics
    bad: NDArray[np.bool_] | None = None
