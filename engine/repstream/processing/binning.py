"""Squares of pixels taken together to one sample each: by mean, sum or maximum.

A sample stands for `step` rows and `step` columns; the last ones of a row or column may stand for fewer.
Bad pixels do not count. All results are exact for integers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.processing.clean import Clean
from repstream.processing.sums import HALF, halves, is_long, wide

Array = NDArray[Any]


def maximum(clean: Clean, step: int) -> Array:
    """The greatest good pixel of each square, in the type of the image; 0 where there is none."""
    image, bad = clean
    if step == 1:
        return image
    if bad is None or image.dtype.kind == "u":  # 0 is the least there is
        return _folded(image, step, np.maximum)
    lowest = image.copy()
    np.putmask(lowest, bad, np.iinfo(image.dtype).min if image.dtype.kind == "i" else -np.inf)
    found = _folded(lowest, step, np.maximum)
    np.putmask(found, nothing_good(clean, step), 0)
    return found


def total(clean: Clean, step: int) -> Array:
    """The sum of each square.

    In 32 bits for integers of up to 16, as long as `step` is at most 256, in 64 for all others; where a
    sum of 64-bit integers lies beyond them it is held at the limit. Floating-point numbers are added in
    double precision.
    """
    image = clean.image
    if step == 1:
        return image
    if is_long(image.dtype):
        return _together(*_folded_halves(image, step))
    return _sums(image, step)


def mean(clean: Clean, step: int) -> Array:
    """The mean of the good pixels of each square, in the type of the image; 0 where there is none.

    For integers it is rounded to the nearest, halves upwards.
    """
    image = clean.image
    if step == 1:
        return image
    if is_long(image.dtype):
        return _mean_of_halves(image, step, _numbers(clean, step).astype(image.dtype))
    added = _sums(image, step)
    if image.dtype.kind == "f":
        return (added / _numbers(clean, step)).astype(image.dtype)
    if clean.bad is None:
        # Division by one number for all is many times faster than by an array.
        for place, pixels in _blocks(clean.shape, step):
            added[place] = (added[place] + added.dtype.type(pixels // 2)) // added.dtype.type(pixels)
        return added.astype(image.dtype)
    number = _numbers(clean, step).astype(added.dtype)
    rounded: Array = (added + number // 2) // number
    return rounded.astype(image.dtype)


RULES: dict[str, Callable[[Clean, int], Array]] = {"mean": mean, "sum": total, "maximum": maximum}
"""By the names that a parameter has for them."""


def nothing_good(clean: Clean, step: int) -> NDArray[np.bool_]:
    """Which samples stand for bad pixels only; all False where there are no bad pixels."""
    if clean.bad is None:
        return np.zeros([-(-n // step) for n in clean.shape], bool)
    return _folded(clean.bad, step, np.logical_and)


def _numbers(clean: Clean, step: int) -> Array:
    """Good pixels of each square, at least 1."""
    rows, columns = (np.minimum(step, n - np.arange(0, n, step)) for n in clean.shape)
    number = np.multiply.outer(rows, columns)
    if clean.bad is not None:
        number = number - _sums(clean.bad, step)
    return np.maximum(number, 1)


def _blocks(shape: tuple[int, int], step: int) -> Iterator[tuple[tuple[slice, slice], int]]:
    """Which samples stand for how many pixels: the whole squares, and those cut at the edges."""
    rows, columns = (
        [(slice(0, n // step), step), (slice(n // step, None), n % step)]
        if n % step
        else [(slice(None), step)]
        for n in shape
    )
    for (y, height), (x, width) in itertools.product(rows, columns):
        yield (y, x), height * width


def _folded(image: Array, step: int, take: np.ufunc) -> Array:
    """Every `step` rows taken together, then every `step` columns."""
    for axis in (0, 1):
        lines = image if axis == 0 else image.T
        found = lines[::step].copy(order="K")
        for offset in range(1, min(step, len(lines))):
            other = lines[offset::step]
            take(found[: len(other)], other, out=found[: len(other)])
        image = found if axis == 0 else found.T
    return image


def _sums(image: Array, step: int) -> Array:
    kind, narrow = image.dtype.kind, image.dtype.itemsize <= 2 and step <= 256
    dtype = wide(image.dtype)
    if narrow and kind in "iub":
        dtype = np.dtype(np.int32 if kind == "i" else np.uint32)
    found: Array = image
    for axis in (0, 1):
        lines = found if axis == 0 else found.T
        added = lines[::step].astype(dtype)
        for offset in range(1, min(step, len(lines))):
            other = lines[offset::step]
            np.add(added[: len(other)], other, out=added[: len(other)], dtype=dtype)
        found = added if axis == 0 else added.T
    return found


def _folded_halves(image: Array, step: int) -> tuple[Array, Array]:
    high, low = (_sums(half, step) for half in halves(image))
    carry = low >> low.dtype.type(HALF)
    return high + carry, low & low.dtype.type(2**HALF - 1)


def _together(high: Array, low: Array) -> Array:
    """``high * 2^32 + low``, held at the limits of the type."""
    limits = np.iinfo(high.dtype)
    least, most = limits.min >> HALF, limits.max >> HALF
    held = np.clip(high, least, most)
    found: Array = (held << held.dtype.type(HALF)) | low
    np.putmask(found, high > most, limits.max)
    np.putmask(found, high < least, limits.min)
    return found


def _mean_of_halves(image: Array, step: int, number: Array) -> Array:
    high, low = _folded_halves(image, step)
    whole, rest = high // number, high % number
    # A square has fewer than 2^31 pixels, so that the rest of the high half fits in front of the low one.
    below = (rest << rest.dtype.type(HALF)) + low + number // 2
    found: Array = (whole << whole.dtype.type(HALF)) + below // number
    return found
