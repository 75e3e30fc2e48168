"""Statistics against pure Python, which has no overflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.engine.processing.images import FLOATS, INTEGERS, arrays, good, images

from repstream.processing.clean import clean
from repstream.processing.moments import above
from repstream.processing.statistics import saturation_of, statistics
from repstream.processing.sums import profiles, total

Masked = tuple[NDArray[Any], NDArray[np.bool_] | None]


@given(images(INTEGERS))
def test_every_integer_type_is_counted_exactly(masked: Masked) -> None:
    image, mask = masked
    values = list(good(image, mask).values())
    counted = statistics(clean(image, mask), saturation_of(image.dtype))
    assert (counted.pixels, counted.bad) == (len(values), image.size - len(values))
    assert (counted.minimum, counted.maximum) == (min(values, default=None), max(values, default=None))
    assert counted.sum == sum(values)
    assert counted.mean == (sum(values) / len(values) if values else None)
    assert counted.saturated == values.count(np.iinfo(image.dtype).max)


@given(images(FLOATS))
def test_numbers_that_are_not_finite_do_not_count(masked: Masked) -> None:
    image, mask = masked
    values = list(good(image, mask).values())
    counted = statistics(clean(image, mask), saturation=100)
    assert (counted.pixels, counted.bad) == (len(values), image.size - len(values))
    assert (counted.minimum, counted.maximum) == (min(values, default=None), max(values, default=None))
    assert counted.sum == pytest.approx(math.fsum(values), rel=1e-12, abs=1e-6)
    assert counted.saturated == sum(value >= 100 for value in values)


@given(images(INTEGERS + FLOATS), st.integers(-1000, 1000))
def test_what_is_above_a_threshold_makes_the_centre(masked: Masked, threshold: int) -> None:
    image, mask = masked
    pixels = good(image, mask)
    above_it = {place: max(value - threshold, 0) for place, value in pixels.items()}
    rows, columns = above(clean(image, mask), threshold)
    if image.dtype.kind != "f":
        limit = np.iinfo(image.dtype)
        level = min(max(threshold, limit.min), limit.max)
        above_it = {place: max(value - level, 0) for place, value in pixels.items()}
        for y in range(image.shape[0]):
            assert rows[y] == sum(v for (row, _), v in above_it.items() if row == y)
        for x in range(image.shape[1]):
            assert columns[x] == sum(v for (_, column), v in above_it.items() if column == x)
    intensity = math.fsum(above_it.values())
    counted = statistics(clean(image, mask), threshold=threshold)
    if counted.centre is None:
        assert intensity == 0
        return
    assert counted.width is not None
    for axis in (0, 1):
        centre = math.fsum(place[axis] * v for place, v in above_it.items()) / intensity
        spread = math.fsum((place[axis] - centre) ** 2 * v for place, v in above_it.items()) / intensity
        assert counted.centre[axis] == pytest.approx(centre, rel=1e-6, abs=1e-6)
        assert counted.width[axis] == pytest.approx(math.sqrt(spread), rel=1e-5, abs=1e-3)


@given(images(INTEGERS))
def test_profiles_and_total_are_exact(masked: Masked) -> None:
    image, _ = masked
    rows, columns = profiles(image)
    assert rows.tolist() == [sum(row) for row in image.tolist()]
    assert columns.tolist() == [sum(column) for column in image.T.tolist()]
    assert total(image) == sum(map(sum, image.tolist()))


def test_sums_of_uint64_go_beyond_64_bits() -> None:
    image = np.full((3, 5), 2**64 - 1, np.uint64)
    assert total(image) == 15 * (2**64 - 1)
    assert profiles(image)[0].tolist() == [5 * (2**64 - 1)] * 3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
def test_an_image_of_many_strips_is_counted_whole(dtype: str) -> None:
    shape = (1031, 700)  # no multiple of a strip
    image = np.random.default_rng(3).integers(0, 120, shape).astype(dtype)
    mask = np.random.default_rng(4).random(shape) < 0.01
    counted = statistics(clean(image, mask), 119, threshold=20)
    cut = np.where(mask, 0, np.maximum(image.astype(np.float64) - 20, 0))
    assert counted.sum == int(np.where(mask, 0, image).sum(dtype=np.float64))
    assert counted.saturated == int(np.count_nonzero((image == 119) & ~mask))
    assert counted.centre is not None
    assert counted.centre[0] == pytest.approx((cut.sum(1) @ np.arange(shape[0])) / cut.sum())
    assert counted.centre[1] == pytest.approx((cut.sum(0) @ np.arange(shape[1])) / cut.sum())


def test_a_spot_has_its_centre_and_width() -> None:
    y, x = np.ogrid[:200, :300]
    spot = 50_000 * np.exp(-(((y - 80.25) / 7) ** 2 + ((x - 160.5) / 12) ** 2) / 2)
    counted = statistics(clean(spot.astype(np.uint16)), threshold=0)
    assert counted.centre == pytest.approx((80.25, 160.5), abs=0.02)
    assert counted.width == pytest.approx((7, 12), rel=0.01)


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", "float16", "bool"])
def test_other_byte_orders_and_types_count_as_their_values(dtype: str) -> None:
    image = np.arange(12).reshape(3, 4).astype(dtype)
    assert statistics(clean(image)).sum == image.sum(dtype=np.int64)


def test_an_image_without_good_pixels_has_no_numbers() -> None:
    counted = statistics(clean(np.ones((2, 3), np.uint16), np.ones((2, 3), bool)), saturation=1)
    assert counted == (0, 6, None, None, None, 0, 0, None, None)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\) does not fit an image of shape \(2, 3\)"):
        clean(np.zeros((2, 3)), np.zeros((3, 2), bool))


@given(arrays((3, 4), INTEGERS + FLOATS))
def test_nothing_that_was_given_is_changed(image: NDArray[Any]) -> None:
    before = image.copy()
    mask = np.zeros(image.shape, bool)
    mask[1, 2] = True
    statistics(clean(image, mask), 5, threshold=3)
    assert np.array_equal(image, before, equal_nan=image.dtype.kind == "f")
