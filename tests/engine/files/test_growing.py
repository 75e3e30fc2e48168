"""How much room a file keeps ahead of its content, and where its images begin."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from tests.engine.files.samples import plan, rows

from repstream.files import FrameFile
from repstream.files.growing import LARGE, PAGE
from repstream.files.layout import ADDRESS, END_OF_FILE

MIB = 1 << 20


@pytest.mark.parametrize(
    ("nbytes", "ahead"),
    [(1, 4 * MIB), (1 << 16, 32 * MIB), (MIB, 128 * MIB)],
    ids=["at least", "512 images", "at most"],
)
def test_readers_that_have_the_file_open_find_512_images_more_within_bounds(
    tmp_path: Path, nbytes: int, ahead: int
) -> None:
    of = plan(tmp_path / "a.h5", "u1", (1, nbytes))
    file = FrameFile.create(of)
    file.append([bytes(nbytes)], rows(of, 0, 1))
    with of.path.open("rb") as raw:
        raw.seek(END_OF_FILE)
        (stated,) = ADDRESS.unpack(raw.read(ADDRESS.size))
    size = of.path.stat().st_size
    file.finish({})
    content = of.path.stat().st_size
    # Stated before the image came and before its results did: an image and a little less is left.
    assert 2 * ahead - 2 * MIB < stated - content <= 2 * ahead
    assert size - stated == 4 * ahead


@pytest.mark.parametrize(("nbytes", "aligned"), [(LARGE - 1, False), (LARGE + 1, True)])
def test_each_large_image_of_one_append_begins_at_a_page(tmp_path: Path, nbytes: int, aligned: bool) -> None:
    of = plan(tmp_path / "a.h5", "u1", (1, nbytes))
    file = FrameFile.create(of)
    images = [bytes([number]) * nbytes for number in range(3)]
    file.append(images, rows(of, 0, 3))
    file.finish({})
    with h5py.File(of.path) as read:
        data = read["/det/data"]
        begins = [data.id.get_chunk_info(number).byte_offset for number in range(3)]
        assert [data[number].tobytes() for number in range(3)] == images
    assert all(begin % PAGE == 0 for begin in begins) == aligned
