from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.files.samples import payload, plan, rows

from repstream.files import FrameFile


def library_chunks(path: Path, name: str) -> list[tuple[tuple[int, ...], int, int, int]]:
    """What the library finds in the index: (offset of the chunk, filter mask, address, bytes)."""
    found: list[tuple[tuple[int, ...], int, int, int]] = []
    with h5py.File(path) as file:
        file[name].id.chunk_iter(lambda info: found.append(tuple(info)))
    return found


@settings(max_examples=25)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=4), st.sampled_from(["none", "bitshuffle_lz4"]))
def test_the_library_finds_every_chunk_where_it_was_put(batches: list[int], compression: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        of = plan(Path(folder) / "a.h5", compression=compression)
        file = FrameFile.create(of)
        sizes: list[int] = []
        for batch in batches:
            payloads = [payload(of, number) for number in range(len(sizes), len(sizes) + batch)]
            file.append(payloads, rows(of, len(sizes), batch))
            sizes += map(len, payloads)
            chunks = library_chunks(of.path, "/det/data")
            assert [chunk[0] for chunk in chunks] == [(number, 0, 0) for number in range(len(sizes))]
            assert [chunk[3] for chunk in chunks] == sizes
        content = of.path.read_bytes()
        for number, (_, mask, address, size) in enumerate(chunks):
            assert mask == 0
            assert content[address : address + size] == payload(of, number)
        file.close()


@pytest.mark.parametrize("batch", [1, 64, 5000])
def test_an_index_of_three_levels_is_complete(tmp_path: Path, batch: int) -> None:
    of = plan(tmp_path / "a.h5", "u1", (1, 1))
    file = FrameFile.create(of)
    for first in range(0, 5000, batch):
        count = min(batch, 5000 - first)
        file.append([bytes([number % 251]) for number in range(first, first + count)], rows(of, first, count))
    file.finish({})
    with h5py.File(of.path) as read:
        assert read["/det/data"][:].ravel().tolist() == [number % 251 for number in range(5000)]
        assert read["/det/data"].id.get_num_chunks() == 5000
        assert read["/det/metadata"]["image_id"].tolist() == list(range(5000))
