"""Appends whose small pieces are written together later."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.files.samples import image, images, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import FrameFile
from repstream.files.pieces import Pieces
from repstream.files.plan import FilePlan


def gather(file: FrameFile, of: FilePlan, count: int, batch: int) -> None:
    for first in range(file.places, file.places + count, batch):
        images = [payload(of, number) for number in range(first, first + batch)]
        file.append(images, rows(of, first, batch), announce=False)


def check(of: FilePlan, count: int) -> None:
    with h5py.File(of.path) as read:
        assert np.array_equal(read["/det/data"][:], images(count))
        assert np.array_equal(read["/det/metadata"][:count], rows(of, 0, count))


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("batch", [1, 7, 150])
def test_readers_see_gathered_images_when_they_are_announced(
    tmp_path: Path, compression: str, batch: int
) -> None:
    of = plan(tmp_path / "a.h5", compression=compression)
    file = FrameFile.create(of)
    shown = 0
    for _ in range(3):
        gather(file, of, 300 // batch * batch, batch)
        check(of, shown)
        file.announce()
        assert file.count == file.places > shown
        shown = file.count
        check(of, shown)
    gather(file, of, batch, batch)
    file.finish({})
    check(of, shown + batch)


def test_a_late_image_finds_its_place_among_gathered_ones(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    gather(file, of, 10, 1)
    file.append([None], rows(of, 10, 1), announce=False)
    gather(file, of, 10, 1)
    file.fill(10, [payload(of, 10)], rows(of, 10, 1))
    gather(file, of, 10, 1)
    file.announce()
    check(of, 31)
    file.finish({})


def test_what_was_whole_before_an_append_that_failed_can_be_shown(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    gather(file, of, 100, 3 + 1)
    writable, read_only = os.dup(file._fd), os.open(of.path, os.O_RDONLY)
    os.dup2(read_only, file._fd)
    with pytest.raises(StorageError, match="Bad file descriptor"):
        gather(file, of, 100, 100)
    os.dup2(writable, file._fd)
    file.announce()
    assert file.count == 100
    with pytest.raises(StorageError, match="Bad file descriptor"):
        gather(file, of, 1, 1)
    file.finish({"outcome": "failed"})
    check(of, 100)
    assert image(0).tobytes() in of.path.read_bytes()
    os.close(writable)
    os.close(read_only)


RUN, PIECE = st.binary(min_size=1, max_size=8), st.binary(min_size=8, max_size=8)
WRITES = st.lists(st.one_of(RUN, st.tuples(st.integers(0, 15), PIECE)), max_size=20)


@settings(max_examples=50)
@given(WRITES, st.integers(0, 20))
def test_pieces_end_up_where_they_belong(writes: list[bytes | tuple[int, bytes]], again: int) -> None:
    """Runs go on where the last one ended, as rows do; of pieces in one place the last one counts."""
    pieces, expected, end = Pieces(), bytearray(1024), 512
    fd = os.memfd_create("pieces")
    for number, write in enumerate(writes):
        if number == again:
            pieces.write(fd)
        if isinstance(write, bytes):
            offset, data = end, write
            pieces.extend(offset, data)
            end += len(data)
        else:
            offset, data = write[0] * 8, write[1]
            pieces.put(offset, data)
        expected[offset : offset + len(data)] = data
    pieces.write(fd)
    assert os.pread(fd, 1024, 0).ljust(1024, b"\0") == bytes(expected)
    os.close(fd)
