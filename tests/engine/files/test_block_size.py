"""Images in the blocks of a file system."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.files.samples import images, plan
from tests.engine.files.test_frame_file import write

from repstream.files.growing import PAGE, alignment_of, place_of
from repstream.files.verify import verify

BLOCK = 1 << 18


def blocks(begin: int, nbytes: int, block: int) -> int:
    """How many blocks these bytes lie in."""
    return (begin + nbytes - 1) // block - begin // block + 1


@given(st.integers(0, 2**40), st.integers(1, 2**24), st.integers(1, 4096).map(lambda n: n * PAGE))
def test_an_image_lies_in_as_few_blocks_as_it_can_near_the_end(end: int, nbytes: int, block: int) -> None:
    begin = place_of(end, nbytes, block)
    assert blocks(begin, nbytes, block) <= math.ceil(nbytes / block)
    assert 0 <= begin - end < block + PAGE
    assert begin % alignment_of(nbytes) == 0


@pytest.mark.parametrize("shape", [(100, 256), (256, 300), (400, 512)])
@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
def test_no_image_crosses_a_boundary_needlessly(
    tmp_path: Path, shape: tuple[int, int], compression: str
) -> None:
    of = plan(tmp_path / "a.h5", shape=shape, compression=compression, block_size=BLOCK)
    write(of, 70).finish({"outcome": "completed", "written": 70})
    assert verify(of.path).complete
    with h5py.File(of.path) as read:
        data = read["/det/data"]
        assert data[:].tobytes() == images(70, shape=shape).tobytes()
        chunks = [data.id.get_chunk_info(number) for number in range(70)]
    for chunk in chunks:
        needed = math.ceil(chunk.size / BLOCK)
        assert blocks(chunk.byte_offset, chunk.size, BLOCK) == needed, chunk


def test_room_that_is_left_free_takes_no_space(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", shape=(256, 300), block_size=BLOCK)
    write(of, 20).finish({})
    state = of.path.stat()
    assert state.st_size > 20 * 0.9 * BLOCK
    assert state.st_blocks * 512 < state.st_size - 15 * (BLOCK - of.image_nbytes - 2 * PAGE)


def test_an_image_that_comes_late_finds_such_a_place_too(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", shape=(256, 300), block_size=BLOCK)
    file = write(of, 3)
    pixels = images(5, shape=of.shape)
    rows = np.zeros(2, of.row_dtype)
    rows["image_id"] = [3, 4]
    file.append([None, pixels[4].tobytes()], rows)
    file.fill(3, [pixels[3].tobytes()], rows[:1])
    file.finish({})
    with h5py.File(of.path) as read:
        data = read["/det/data"]
        assert np.array_equal(data[:], pixels)
        found = data.id.get_chunk_info(3)
        assert blocks(found.byte_offset, found.size, BLOCK) == 1
