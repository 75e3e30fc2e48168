"""The master over parts that hold the images in turn, and the file of their metadata."""

from __future__ import annotations

import subprocess
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nexusformat.nexus.validate import validate_file
from tests.engine.files.samples import images, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import FrameFile, Placeholder
from repstream.files.interleaved import InterleavedMaster, meta_path, turn_paths
from repstream.files.plan import FilePlan
from repstream.files.reader import FileReader
from repstream.files.row_file import RowFile

DONE = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}
FACTS = {"start_time": 1.7e9}


def row_file(path: Path) -> tuple[FilePlan, RowFile]:
    of = plan(path)
    waiting = Placeholder.create(path, "det", FACTS)
    return of, RowFile(of, waiting.state)


def parts_of(path: Path, parts: int, count: int, compression: str) -> None:
    """Write `count` images to the parts of `path` in turn."""
    for number, part in enumerate(turn_paths(path, parts)):
        of = plan(part, compression=compression, attributes={"master": path.name})
        file = FrameFile.create(of)
        if numbers := range(number, count, parts):
            file.append([payload(of, n) for n in numbers], rows(of, 0, count)[number::parts])
        file.finish(DONE)


def begun(path: Path, parts: int, count: int) -> InterleavedMaster:
    """A master that shows the first `count` images of the parts."""
    waiting = Placeholder.create(path, "det", FACTS)
    of, meta = row_file(meta_path(path))
    names = [part.name for part in turn_paths(path, parts)]
    whole = waiting.plan_of(of.shape, of.dtype, of.members, "none", detector=None)
    master = InterleavedMaster(whole, names, waiting.state, meta, rows(of, 0, count).tobytes())
    waiting.close()
    return master


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=12))
@settings(max_examples=15)
def test_rows_are_there_after_each_append(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    of, file = row_file(tmp_path_factory.mktemp("rows") / "a.h5")
    for count in counts:
        file.append(rows(of, file.count, count))
        with h5py.File(of.path) as read:
            np.testing.assert_array_equal(read["/det/metadata"][:], rows(of, 0, file.count))
    file.finish({**DONE, "written": sum(counts)})
    assert of.path.stat().st_size == file.nbytes
    with h5py.File(of.path) as read:
        np.testing.assert_array_equal(read["/det/metadata"][:], rows(of, 0, sum(counts)))
        assert read["/entry/acquisition/outcome"][()] == b"completed"
        assert read["/entry/instrument/detector/metadata"] == read["/det/metadata"]


def test_rows_fill_more_than_one_node_of_the_index(tmp_path: Path) -> None:
    of, file = row_file(tmp_path / "a.h5")
    for first in range(0, 150_000, 10_000):
        file.append(rows(of, first, 10_000))
    with h5py.File(of.path) as read:
        assert read["/det/metadata"].id.get_num_chunks() > 128
        np.testing.assert_array_equal(read["/det/metadata"][:], rows(of, 0, 150_000))
    file.close()


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("parts", [2, 3, 7])
def test_the_master_shows_as_many_images_as_it_is_told(tmp_path: Path, parts: int, compression: str) -> None:
    path = tmp_path / "a.h5"
    parts_of(path, parts, 12, compression)
    master = begun(path, parts, 1)
    for count in (1, 2, 5, 12):
        if count > 1:
            master.show(rows(plan(path), master._meta.count, count - master._meta.count).tobytes())
        with h5py.File(path) as read:
            np.testing.assert_array_equal(read["/entry/data/data"][:], images(count))
            assert read["/det/data"].maxshape == (count, 4, 6)
            np.testing.assert_array_equal(read["/det/metadata"][:], rows(plan(path), 0, count))
    master.finish({**DONE, "written": 12})
    # nexusformat takes the number of files behind a virtual dataset for its length: one, for the ids.
    assert validate_file(str(path))[1] == 1


@pytest.mark.parametrize("swmr", [False, True])
def test_a_reader_that_is_refreshed_follows_the_master(tmp_path: Path, swmr: bool) -> None:
    path = tmp_path / "a.h5"
    parts_of(path, 3, 10, "none")
    master = begun(path, 3, 4)
    with FileReader(path, swmr=swmr) as reader:
        assert (reader.count, reader.extent.last_id) == (4, 3)
        master.show(rows(plan(path), 4, 6).tobytes())
        reader.refresh()
        assert (reader.count, reader.extent.last_id) == (10, 9)
        np.testing.assert_array_equal(reader.image(9), images(10)[9])
        master.finish(DONE)
        reader.refresh()
        assert reader.extent.finished


def test_a_reader_keeps_the_version_that_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    parts_of(path, 3, 10, "none")
    master = begun(path, 3, 4)
    with h5py.File(path) as read:
        master.show(rows(plan(path), 4, 6).tobytes())
        np.testing.assert_array_equal(read["/entry/data/data"][:], images(4))
    master.finish(DONE)


def test_the_tools_of_hdf5_read_through_the_master(tmp_path: Path, h5dump: str) -> None:
    path = tmp_path / "a.h5"
    parts_of(path, 3, 10, "none")
    begun(path, 3, 10).finish(DONE)
    command = [h5dump, "-d", "/det/data", "-s", "7,0,0", "-c", "1,4,6", "-y", "-w", "1", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    inside = text[text.index("DATA {") + len("DATA {") :].split("}")[0]
    assert [int(n) for n in inside.replace(",", " ").split()] == images(8)[7].ravel().tolist()


def test_a_file_put_in_the_masters_place_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    parts_of(path, 2, 4, "none")
    master = begun(path, 2, 2)
    path.unlink()
    path.write_text("mine")
    with pytest.raises(StorageError, match="removed, renamed or replaced"):
        master.check_in_place()
    with pytest.raises(StorageError, match="exists"):
        master.show(rows(plan(path), 2, 2).tobytes())
    assert path.read_text() == "mine"
