"""Files of so many images each, and the master that shows them as one."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from nexusformat.nexus.validate import validate_file
from tests.engine.files.samples import images, names, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import Placeholder
from repstream.files.plan import MISSING
from repstream.files.reader import FileReader
from repstream.files.series import FileSeries, parts_there
from repstream.files.verify import verify

DONE = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}


def begun(path: Path, per_file: int, compression: str = "none", overwrite: bool = False) -> FileSeries:
    of = plan(path, compression=compression)
    waiting = Placeholder.create(path, "det", {"start_time": 1.7e9}, overwrite=overwrite)
    try:
        file = waiting.become(of.shape, of.dtype, of.members, compression, per_file)  # type: ignore[arg-type]
    except StorageError:
        waiting.close()
        raise
    assert isinstance(file, FileSeries)
    return file


def append(file: FileSeries, first: int, count: int, **options: bool) -> None:
    of = plan(file.path, compression=file._plan.compression)
    file.append([payload(of, n) for n in range(first, first + count)], rows(of, first, count), **options)


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
def test_the_master_shows_all_images_at_every_moment(tmp_path: Path, compression: str) -> None:
    file = begun(tmp_path / "a.h5", 10, compression)
    for first in range(0, 36, 4):
        append(file, first, 4)
        with h5py.File(file.path) as read:
            assert np.array_equal(read["/entry/data/data"][:], images(first + 4))
            assert list(read["/det/metadata"]["image_id"]) == list(range(first + 4))
    file.finish({**DONE, "written": 36})
    assert names(tmp_path) == ["a.h5", *(f"a_part000{n}.h5" for n in (1, 2, 3, 4))]
    found = verify(file.path)
    assert (found.complete, found.images, len(found.files)) == (True, 36, 5)
    assert [verify(part).complete for part in parts_there(file.path)] == [True] * 4
    assert validate_file(str(file.path))[1] == 0


def test_one_append_may_fill_several_files(tmp_path: Path) -> None:
    file = begun(tmp_path / "a.h5", 7)
    append(file, 0, 50)
    assert (file.count, file.places) == (50, 50)
    file.finish({**DONE, "written": 50})
    assert [len(h5py.File(part)["/det/data"]) for part in parts_there(file.path)] == [7] * 7 + [1]
    assert verify(file.path).complete


@pytest.mark.parametrize("swmr", [False, True])
def test_a_reader_follows_over_the_ends_of_files(tmp_path: Path, swmr: bool) -> None:
    file = begun(tmp_path / "a.h5", 5)
    with FileReader(file.path, swmr=swmr) as reader:
        for first in range(12):
            append(file, first, 1)
            reader.refresh()
            assert (reader.count, reader.extent.last_id) == (first + 1, first)
        file.finish({**DONE, "written": 12})
        reader.refresh()
        assert reader.extent.finished


def test_late_images_reach_the_file_before_the_last(tmp_path: Path) -> None:
    file = begun(tmp_path / "a.h5", 10)
    of = plan(file.path)
    table = rows(of, 0, 10)
    table["status"][8] = MISSING
    file.append([None if n == 8 else payload(of, n) for n in range(10)], table)
    append(file, 10, 3)
    file.fill(8, [payload(of, 8)], rows(of, 8, 1))
    file.finish({**DONE, "written": 13})
    with h5py.File(file.path) as read:
        assert np.array_equal(read["/entry/data/data"][:], images(13))
    assert verify(file.path).complete


def test_images_wait_for_the_disk_in_all_files(tmp_path: Path) -> None:
    file = begun(tmp_path / "a.h5", 5)
    append(file, 0, 8, announce=False)
    with h5py.File(file.path) as read:
        assert len(read["/entry/data/data"]) == file.count == 5
    file.sync()
    assert file.count == 8
    file.finish(DONE)
    assert verify(file.path).images == 8


def test_a_part_that_is_gone_fails_a_good_end_only(tmp_path: Path) -> None:
    for number, outcome in enumerate(("completed", "failed")):
        file = begun(tmp_path / f"{number}.h5", 3)
        append(file, 0, 8)
        parts_there(file.path)[0].unlink()
        with pytest.raises(StorageError, match="part0001") if outcome == "completed" else nullcontext():
            file.finish({**DONE, "outcome": outcome})
        file.close()


def test_a_part_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    dear = tmp_path / "a_part0001.h5"
    dear.write_bytes(b"dear data")
    with pytest.raises(StorageError, match="exists"):
        begun(tmp_path / "a.h5", 5)
    assert dear.read_bytes() == b"dear data"
    file = begun(tmp_path / "a.h5", 5, overwrite=True)
    append(file, 0, 1)
    file.finish({**DONE, "written": 1})
    assert verify(file.path).complete


def test_only_names_of_parts_are_parts(tmp_path: Path) -> None:
    for name in ("a[1]_part0001.h5", "a1_part0001.h5", "a[1]_part1.h5", "a[1]_part0002.txt", "a[1].h5"):
        (tmp_path / name).touch()
    assert [part.name for part in parts_there(tmp_path / "a[1].h5")] == ["a[1]_part0001.h5"]
