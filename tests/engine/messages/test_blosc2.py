"""Chunks of Blosc2: what was packed comes out; what is damaged, or would run the code of others, is not."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import MalformedMessage
from repstream.messages import filter_library
from repstream.messages.blosc2 import unpack_into

IMAGE = (np.arange(300 * 200) % 700).astype(np.uint16)
SHUFFLE, BITSHUFFLE = 1, 2


def chunk_of(pixels: npt.NDArray[Any], shuffle: int = BITSHUFFLE, level: int = 5) -> npt.NDArray[np.uint8]:
    """As a producer makes it, with the library itself."""
    packed = np.empty(pixels.nbytes + 64, np.uint8)
    sizes = pixels.ctypes.data, pixels.nbytes, packed.ctypes.data, packed.size
    types = [ctypes.c_int] * 3 + [ctypes.c_void_p, ctypes.c_int32] * 2
    pack = filter_library.load("blosc2").blosc2_compress
    pack.argtypes = types
    found = pack(level, shuffle, pixels.itemsize, *sizes)
    assert found > 0
    return packed[:found].copy()


def unpacked(chunk: npt.NDArray[np.uint8], nbytes: int = IMAGE.nbytes) -> npt.NDArray[np.uint8]:
    guard = np.full(nbytes + 128, 0xA5, np.uint8)
    try:
        unpack_into(guard[64:-64], chunk)
    finally:
        assert (guard[:64] == 0xA5).all() and (guard[-64:] == 0xA5).all()
    return guard[64:-64]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float64])
@pytest.mark.parametrize("shuffle", [0, SHUFFLE, BITSHUFFLE])
def test_what_was_packed_comes_out(dtype: Any, shuffle: int) -> None:
    pixels = IMAGE.astype(dtype)
    assert (unpacked(chunk_of(pixels, shuffle), pixels.nbytes).view(dtype) == pixels).all()


@given(noise=st.binary(min_size=1, max_size=3000))
def test_noise_and_zeros_come_out(noise: bytes) -> None:
    for data in (noise, bytes(len(noise))):
        pixels = np.frombuffer(data, np.uint8)
        assert unpacked(chunk_of(pixels), pixels.size).tobytes() == data


def test_bytes_behind_the_chunk_do_not_matter() -> None:
    assert (
        unpacked(np.concatenate([chunk_of(IMAGE), np.full(99, 7, np.uint8)])).view(np.uint16) == IMAGE
    ).all()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (2, 0xD5, "not part of Blosc2"),  # the compressor
        (21, 35, "not part of Blosc2"),  # a filter
        (2, 0x11, "no chunk"),
        (4, 0, "bytes, expected 120000"),
        (14, 99, "takes"),
    ],
)
def test_a_header_that_is_not_right_is_refused(place: int, value: int, reason: str) -> None:
    chunk = chunk_of(IMAGE)
    chunk[place] = value
    with pytest.raises(MalformedMessage, match=reason):
        unpacked(chunk)


def test_a_frame_is_no_chunk() -> None:
    frame = np.frombuffer(b"\x9e\xa8b2frame\0".ljust(200, b"\0"), np.uint8)
    with pytest.raises(MalformedMessage, match="a frame of Blosc2"):
        unpacked(frame)


@given(st.data())
def test_damage_is_refused_or_gives_other_pixels(data: st.DataObject) -> None:
    chunk = chunk_of(IMAGE)
    for _ in range(data.draw(st.integers(1, 6))):
        chunk[data.draw(st.integers(0, chunk.size - 1))] = data.draw(st.integers(0, 255))
    try:
        unpacked(chunk[: data.draw(st.integers(1, chunk.size))])
    except MalformedMessage as error:
        assert error.reason == "compression"
