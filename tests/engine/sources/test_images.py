"""Synthetic images: the same for everybody, another one for each frame id."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.messages.frame import PIXEL_TYPES
from repstream.processing.clean import clean
from repstream.processing.statistics import statistics
from repstream.sources.images import HOT, SAMPLE, STEPS, Images, frame_id_of, image

SHAPE = (40, 64)


@pytest.mark.parametrize("dtype", PIXEL_TYPES)
def test_an_image_can_be_computed_again(dtype):
    sent = Images(SHAPE, dtype, seed=3)(17)
    assert sent.shape == SHAPE
    assert sent.dtype == dtype
    assert sent.flags.c_contiguous
    assert np.array_equal(sent, image(17, SHAPE, dtype, seed=3))


@given(st.integers(0, 2**64 - 1))
def test_an_image_carries_its_frame_id(frame_id):
    assert frame_id_of(image(frame_id, SHAPE, "uint16")) == frame_id


def test_consecutive_images_differ_in_more_than_the_id():
    first, second = (image(n, SHAPE, "uint16").reshape(-1)[64:] for n in (0, 1))
    assert np.count_nonzero(first != second) > 100


def test_another_seed_gives_other_noise():
    assert not np.array_equal(image(5, SHAPE, "uint16", seed=0), image(5, SHAPE, "uint16", seed=1))


def test_images_are_independent_of_each_other():
    images = Images(SHAPE, "uint16")
    changed = images(0)
    changed[:] = 0
    assert images(0).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (300, 2), (8, 8)])
def test_tiny_images_are_possible(shape):
    assert image(2**40 + 1, shape, "int8").shape == shape


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "int32", "float32"])
def test_sample_and_beam_together_stay_below_the_full_scale(dtype):
    images = Images(SHAPE, dtype)
    for frame_id in range(0, STEPS, 7):
        assert images(frame_id).reshape(-1)[64:].min() >= 0
        assert images(frame_id).reshape(-1)[64:].max() < images.full_scale


def test_the_beam_wanders_and_breathes():
    images = Images((300, 400), "uint16")
    counted = [statistics(clean(images(n)[10:]), threshold=4900) for n in range(0, STEPS, 17)]
    columns = [found.centre[1] for found in counted]
    assert max(columns) - min(columns) > 100
    assert max(found.maximum for found in counted) > 1.2 * min(found.maximum for found in counted)


def test_some_pixels_are_hot_and_some_dead_whatever_the_noise():
    images = Images((400, 500), "uint16")
    stack = np.array([images(n).reshape(-1)[64:] for n in range(4)])
    assert np.count_nonzero((stack >= int(SAMPLE * images.full_scale)).all(axis=0)) >= 400 * 500 // HOT
    assert (stack == 0).all(axis=0).any()
