"""Reducing an image, against pure Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.engine.processing.images import FLOATS, INTEGERS, good, images

from repstream.processing.binning import RULES, maximum, mean, nothing_good, total
from repstream.processing.clean import clean

Masked = tuple[NDArray[Any], NDArray[np.bool_] | None]
STEPS = st.integers(2, 5)


def squares(masked: Masked, step: int) -> Iterator[tuple[tuple[int, int], list[Any]]]:
    """The good pixels of each square by the place of its sample."""
    image, mask = masked
    pixels = good(image, mask)
    height, width = (-(-n // step) for n in image.shape)
    for y in range(height):
        for x in range(width):
            yield (
                (y, x),
                [v for (row, column), v in pixels.items() if (row // step, column // step) == (y, x)],
            )


@given(images(INTEGERS), STEPS)
def test_integers_are_reduced_exactly(masked: Masked, step: int) -> None:
    image, mask = masked
    cleaned = clean(image, mask)
    greatest, added, middle = (rule(cleaned, step) for rule in (maximum, total, mean))
    empty = nothing_good(cleaned, step)
    limits = np.iinfo(added.dtype)
    assert greatest.dtype == middle.dtype == image.dtype
    for place, values in squares(masked, step):
        assert empty[place] == (not values)
        assert greatest[place] == max(values, default=0)
        assert added[place] == min(max(sum(values), limits.min), limits.max)
        number = max(len(values), 1)
        assert middle[place] == (sum(values) + number // 2) // number


@given(images(FLOATS), STEPS)
def test_floats_are_reduced_without_what_is_not_finite(masked: Masked, step: int) -> None:
    image, mask = masked
    cleaned = clean(image, mask)
    greatest, added, middle = (rule(cleaned, step) for rule in (maximum, total, mean))
    assert greatest.dtype == middle.dtype == image.dtype
    assert added.dtype == np.float64
    for place, values in squares(masked, step):
        assert greatest[place] == max(values, default=0)
        assert added[place] == pytest.approx(math.fsum(values), abs=1e-6)
        assert middle[place] == pytest.approx(math.fsum(values) / max(len(values), 1), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_step_of_one_leaves_the_image_as_it_is(rule: str) -> None:
    image = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert RULES[rule](clean(image), 1) is image


def test_sums_have_room() -> None:
    assert total(clean(np.full((4, 4), 65535, np.uint16)), 2).dtype == np.uint32
    assert total(clean(np.full((4, 4), -32768, np.int16)), 4).tolist() == [[-32768 * 16]]
    assert total(clean(np.full((600, 600), 255, np.uint8)), 600).tolist() == [[255 * 360_000]]
    assert total(clean(np.full((2, 2), 2**32 - 1, np.uint32)), 2).tolist() == [[4 * (2**32 - 1)]]


def test_a_step_beyond_the_image_makes_one_sample() -> None:
    image = np.array([[1, 2, 3]], np.uint16)
    assert [RULES[rule](clean(image), 50).tolist() for rule in ("mean", "sum", "maximum")] == [
        [[2]],
        [[6]],
        [[3]],
    ]


def test_samples_lie_one_after_the_other() -> None:
    image = np.zeros((50, 70), np.uint16)
    assert all(rule(clean(image), 3).flags.c_contiguous for rule in RULES.values())
