"""From an image to what is counted in it and to what is shown of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.parameters.picture import REGIONS, PictureConfig
from repstream.pictures.integration import Part
from repstream.pictures.picture import Box, Histogram, Region, Statistics, View
from repstream.processing import binning, histogram, regions, sums
from repstream.processing.clean import Clean, clean, extremes
from repstream.processing.statistics import saturation_of, statistics

_overflowing = np.errstate(over="ignore")
"""A sum beyond the range of floating-point numbers is infinite, and shown as no value."""


class Reduced(NamedTuple):
    """What is shown: the samples, which of them are bad, and where they lie (see `Picture`)."""

    data: NDArray[Any]
    bad: NDArray[np.bool_] | None
    origin: tuple[int, int]
    step: tuple[int, int]


def region_boxes(config: PictureConfig) -> Iterator[tuple[int, str, Box]]:
    """Number, name and place of each region that is counted."""
    for n in range(1, REGIONS + 1):
        y, x, height, width = (getattr(config, f"roi{n}_{field}") for field in ("y", "x", "height", "width"))
        if height and width:
            yield n, getattr(config, f"roi{n}_name"), Box(y, x, height, width)


@_overflowing
def counted(image: Clean, dtype: np.dtype[Any], config: PictureConfig) -> Statistics:
    """What `config` asks to be counted in a full image whose pixels came as `dtype`."""
    rows, columns = _slices(image.shape, _box(config))
    saturation = saturation_of(dtype, config.saturation)
    found = statistics(image.part((rows, columns)), saturation, config.centre_threshold)
    y, x = found.centre or (0.0, 0.0)
    return Statistics(
        pixels=found.pixels,
        bad=found.bad,
        minimum=found.minimum,
        maximum=found.maximum,
        mean=found.mean,
        sum=_in_64_bits(found.sum),
        saturated=found.saturated,
        saturation=saturation,
        centre=None if found.centre is None else (y + rows.start, x + columns.start),
        width=found.width,
        regions=tuple(_region(image, name, box) for _, name, box in region_boxes(config)),
    )


@_overflowing
def parts(raw: NDArray[Any], mask: NDArray[np.bool_] | None, config: PictureConfig) -> list[Part]:
    """Good pixels and sum of the region that is counted, then of each named one, of an image as it came.

    Nothing is copied but what has bad pixels.
    """
    found = []
    for box in (_box(config), *(box for _, _, box in region_boxes(config))):
        slices = _slices((raw.shape[0], raw.shape[1]), box)
        part = clean(raw[slices], None if mask is None else mask[slices])
        found.append(Part(part.pixels, sums.total(part.image)))
    return found


def reduced(image: Clean, config: PictureConfig, view: View | None) -> Reduced:
    """What is shown of a full image: what `view` asks for, or (None) what `config` says."""
    size: tuple[int, int] | None
    if view is None:
        box, size, least = _box(config), (config.largest_height, config.largest_width), config.binning
    else:
        box, size, least = view.box or Box(), view.size, 1
    rows, columns = _slices(image.shape, box)
    rows, columns = _not_empty(rows, image.shape[0]), _not_empty(columns, image.shape[1])
    part = image.part((rows, columns))
    step = regions.step_for(part.shape, size, least)
    rule = config.rule if view is None or view.rule is None else view.rule
    data = np.ascontiguousarray(binning.RULES[rule](part, step))
    bad = None
    if part.bad is not None and part.bad.any():
        nothing = binning.nothing_good(part, step)
        bad = nothing if nothing.any() else None
    return Reduced(data, bad, (rows.start, columns.start), (step, step))


def distribution(image: Clean, found: Statistics, config: PictureConfig) -> Histogram | None:
    """How often values occur in the region that is counted, from its least to its greatest."""
    if found.minimum is None or found.maximum is None:
        return None
    part = image.part(_slices(image.shape, _box(config)))
    counts = histogram.histogram(part, float(found.minimum), float(found.maximum))
    return Histogram(tuple(counts.counts.tolist()), counts.low, counts.high)


def _region(image: Clean, name: str, box: Box) -> Region:
    rows, columns = _slices(image.shape, box)
    part = image.part((rows, columns))
    pixels, added = part.pixels, sums.total(part.image)
    clipped = Box(rows.start, columns.start, *part.shape)
    mean = added / pixels if pixels else None
    return Region(name, clipped, pixels, _in_64_bits(added), mean, *(extremes(part) or (None, None)))


def _box(config: PictureConfig) -> Box:
    return Box(config.region_y, config.region_x, config.region_height, config.region_width)


def _slices(shape: tuple[int, int], box: Box) -> regions.Slices:
    return regions.clipped(shape, box.y, box.x, box.height, box.width)


def _not_empty(part: slice, size: int) -> slice:
    """What lies outside of the image shows the pixel at its edge, so that there is a picture at all."""
    first = min(part.start, size - 1)
    return slice(first, max(part.stop, first + 1))


def _in_64_bits(number: int | float) -> int | float:
    return number if -(2**63) <= number < 2**64 else float(number)
