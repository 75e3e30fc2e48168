"""Regions, steps and histograms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.processing.clean import clean
from repstream.processing.histogram import histogram
from repstream.processing.regions import clipped, step_for

PLACES = st.integers(-20, 40)


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)), PLACES, PLACES, st.integers(1, 30), st.integers(1, 30)
)
def test_a_region_is_what_lies_in_the_image(
    shape: tuple[int, int], y: int, x: int, height: int, width: int
) -> None:
    numbers = np.arange(shape[0] * shape[1]).reshape(shape)
    inside = [
        numbers[row, column]
        for row in range(shape[0])
        for column in range(shape[1])
        if y <= row < y + height and x <= column < x + width
    ]
    assert numbers[clipped(shape, y, x, height, width)].reshape(-1).tolist() == inside


def test_zero_reaches_to_the_edge() -> None:
    assert clipped((10, 20), 4, 5, 0, 0) == (slice(4, 10), slice(5, 20))


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    st.integers(1, 4),
)
def test_a_step_is_the_least_that_makes_an_image_fit(
    shape: tuple[int, int], size: tuple[int, int], least: int
) -> None:
    step = step_for(shape, size, least)

    def fits(step: int) -> bool:
        return all(-(-n // step) <= most for n, most in zip(shape, size, strict=True))

    assert step >= least
    assert fits(step)
    assert step == least or not fits(step - 1)


def test_without_a_size_every_pixel_is_a_sample() -> None:
    assert step_for((5000, 5000), None) == 1


def test_a_histogram_counts_good_pixels_between_its_limits() -> None:
    image = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint16)
    mask = image == 6
    counted = histogram(clean(image, mask), 1, 7, bins=3)
    assert counted.counts.tolist() == [2, 2, 2]  # 1 2, 3 4, 5 7
    assert histogram(clean(image), 3, 3, bins=4).counts.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("dtype", ["uint64", "int64", "float32"])
def test_a_histogram_of_a_large_image_takes_a_sample(dtype: str) -> None:
    image = np.tile(np.arange(100).astype(dtype), (600, 6))
    counted = histogram(clean(image), 0, 99, bins=10)
    share = counted.counts / counted.counts.sum()
    assert 30_000 < counted.counts.sum() <= 90_000
    assert share == pytest.approx(0.1, abs=0.02)
