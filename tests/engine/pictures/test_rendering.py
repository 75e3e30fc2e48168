"""Brightness and PNG."""

from __future__ import annotations

import itertools
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from repstream.pictures.rendering import brightness, levels, png


def unpacked(file: bytes) -> NDArray[np.uint8]:
    """The pixels in a PNG, by the specification: every chunk checked, no filter allowed."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = dict[bytes, bytes](), 8
    while at < len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        body = file[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", file, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    width, height, bits, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert bits == 8
    channels = {0: 1, 2: 3}[colour]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    shape = (height, width) if channels == 1 else (height, width, 3)
    return rows[:, 1:].reshape(shape)


@given(hnp.arrays(np.uint8, st.sampled_from([(1, 1), (3, 5), (7, 2), (4, 6, 3), (1, 1, 3)])))
def test_a_png_holds_the_pixels(pixels: NDArray[np.uint8]) -> None:
    assert np.array_equal(unpacked(png(pixels)), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_brightness_rises_from_the_low_level_to_the_high_one(dtype: str) -> None:
    data = np.array([[0, 10, 60, 110, 120]]).astype(dtype)
    assert brightness(data, 10, 110).tolist() == [[0, 0, 128, 255, 255]]


def test_a_logarithmic_scale_shows_weak_intensity_brighter() -> None:
    data = np.array([[0, 1, 10, 100, 1000]], np.uint16)
    shown = brightness(data, 0, 1000, log=True).tolist()[0]
    assert shown[0] == 0
    assert shown[-1] == 255
    assert all(a < b for a, b in itertools.pairwise(shown))
    assert shown[2] > 80


def test_nan_is_dark_and_not_counted() -> None:
    data: NDArray[Any] = np.array([[np.nan, 1.0, 3.0]])
    assert brightness(data, 1, 3).tolist() == [[0, 0, 255]]
    assert levels(data, 100) == (1, 3)
    assert levels(np.full((2, 2), np.nan), 99) == (0, 0)


def test_levels_leave_out_hot_pixels() -> None:
    data = np.full((1000, 1000), 7, np.uint16)
    data[5, 5] = 65535
    assert levels(data, 99.8) == (7, 7)
