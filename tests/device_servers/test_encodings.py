"""Pictures of every pixel type as Lima's viewers read them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from repstream.pictures.picture import Picture, Statistics
from repstream_tango.pictures.encodings import lima_video

NOTHING = Statistics(0, 0, None, None, None, 0, 0, None, None, None)


def picture(data: np.ndarray) -> Picture:
    shape = (data.shape[0], data.shape[1])
    return Picture(1, 1, 2**40, 0.0, 0.0, shape, data.dtype.name, (0, 0), (1, 1), data, NOTHING)


@pytest.mark.parametrize(
    ("dtype", "mode", "shown"),
    [
        ("u1", 0, "<u1"),
        ("u2", 1, "<u2"),
        ("u4", 2, "<u4"),
        ("u8", 3, "<u8"),
        (">u2", 1, "<u2"),
        ("i1", 0, "<u1"),
        ("i2", 1, "<u2"),
        ("i4", 2, "<u4"),
        ("?", 0, "<u1"),
        ("f4", 2, "<u4"),
    ],
)
def test_the_mode_says_how_wide_a_pixel_is_and_no_value_changes(dtype: str, mode: int, shown: str) -> None:
    data = np.arange(6).reshape(2, 3).astype(dtype)
    _, encoded = lima_video(picture(data))
    head = struct.unpack_from("!IHHqiiHHHH", encoded)
    assert (head[2], head[3], head[4], head[5]) == (mode, 2**40, 3, 2)
    assert np.array_equal(np.frombuffer(encoded, shown, offset=32).reshape(2, 3), data.astype(shown))


def test_what_lima_has_no_number_for_is_the_nearest_that_it_has() -> None:
    data = np.array([[-5.0, np.nan, 1.6, 1e12]])
    _, encoded = lima_video(picture(data))
    assert np.frombuffer(encoded, "<u4", offset=32).tolist() == [0, 0, 2, 2**32 - 1]
