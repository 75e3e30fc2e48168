"""What is counted in one image, together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from repstream.processing.clean import Clean, extremes
from repstream.processing.moments import Pair, above, along, is_plain
from repstream.processing.sums import total


class Statistics(NamedTuple):
    """Of the good pixels of an image, `pixels` of them; `bad` is the number of the others.

    `sum` is exact for integers. `saturated`: pixels at or above the saturation value. `centre` and
    `width` (y, x) in pixels from the first row and column: centre of mass and standard deviation of the
    intensity above a threshold, None where there is none. What has no pixels is None.
    """

    pixels: int
    bad: int
    minimum: int | float | None
    maximum: int | float | None
    mean: float | None
    sum: int | float
    saturated: int
    centre: Pair | None
    width: Pair | None


def statistics(clean: Clean, saturation: int | float | None = None, threshold: float = 0.0) -> Statistics:
    """Count everything; without `saturation` no pixel is saturated, `threshold` is for centre and width."""
    pixels = clean.pixels
    minimum, maximum = extremes(clean) or (None, None)
    rows, columns = above(clean, threshold)
    added = int(rows.sum()) if is_plain(clean.image.dtype, threshold) else total(clean.image)
    y, x = along(rows), along(columns)
    return Statistics(
        pixels=pixels,
        bad=clean.image.size - pixels,
        minimum=minimum,
        maximum=maximum,
        mean=added / pixels if pixels else None,
        sum=added,
        saturated=saturated(clean, saturation, maximum),
        centre=(y[0], x[0]) if y and x else None,
        width=(y[1], x[1]) if y and x else None,
    )


def saturated(clean: Clean, value: int | float | None, maximum: int | float | None) -> int:
    """How many good pixels are at or above `value`; `maximum` is the greatest of them, if any."""
    if value is None or maximum is None or maximum < value:
        return 0
    high = clean.image >= clean.image.dtype.type(value)
    if clean.bad is not None and value <= 0:
        high &= ~clean.bad
    return int(np.count_nonzero(high))


def saturation_of(dtype: np.dtype[Any], value: int = 0) -> int | None:
    """The saturation value of a type: `value`, or (0) its maximum; None for floating-point numbers then."""
    if value:
        return value
    return int(np.iinfo(dtype).max) if dtype.kind in "iu" else None
