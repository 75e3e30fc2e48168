"""What masters are to readers: large, seen through a Python file, and over parts that are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from tests.engine.files.samples import extra, image, images, payload, plan, rows
from tests.engine.files.test_interleaved import begun as interleaved
from tests.engine.files.test_interleaved import parts_of

from repstream.files import FrameFile, Placeholder, hdf5
from repstream.files.interleaved import meta_path, turn_paths
from repstream.files.nexus import trees
from repstream.files.plan import LOST, lost
from repstream.files.series import part_path, parts_there
from repstream.files.verify import verify

DONE = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}


def in_files(path: Path, count: int, per_file: int, *, finished: bool = True) -> Path:
    of = plan(path)
    file = Placeholder.create(path, "det", {}).become(of.shape, of.dtype, of.members, "none", per_file)
    file.append([payload(of, n) for n in range(count)], rows(of, 0, count))
    if finished:
        file.finish({**DONE, "written": count})
    else:
        file.close()
    return path


def in_turn(path: Path, count: int, parts: int, *, finished: bool = True) -> Path:
    parts_of(path, parts, count, "none")
    master = interleaved(path, parts, count)
    if finished:
        master.finish({**DONE, "written": count})
    return path


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(("make", "count", "each"), [(in_files, 10, 4), (in_turn, 10, 3)])
def test_a_master_opened_through_a_python_file_has_its_shape(
    tmp_path: Path, make: Any, count: int, each: int, finished: bool
) -> None:
    path = make(tmp_path / "a.h5", count, each, finished=finished)
    with path.open("rb") as raw, h5py.File(raw) as read:
        data = read["/entry/data/data"]
        assert data.dtype == np.dtype("<u2")
        if finished or make is in_turn:
            assert data.shape == (count, 4, 6)
        # h5py looks for the parts in the same Python file: an error, where it had crashed.
        with pytest.raises((OSError, RuntimeError), match="not found"):
            data[0]


@pytest.mark.parametrize("count", [7, 8, 9, 40])
@pytest.mark.parametrize("finished", [True, False])
def test_slices_and_single_images_of_parts_in_turn(tmp_path: Path, count: int, finished: bool) -> None:
    path = in_turn(tmp_path / "a.h5", count, 4, finished=finished)
    with h5py.File(path) as read:
        data = read["/entry/data/data"]
        assert np.array_equal(data[:], images(count))
        assert np.array_equal(data[1:6, 1, 2:5], images(count)[1:6, 1, 2:5])
        assert np.array_equal(data[::3], images(count)[::3])
        assert all(np.array_equal(data[n], image(n)) for n in range(count))
    found = verify(path)
    assert (found.images, found.damaged, len(found.files)) == (count, [], 5)
    assert found.complete is finished


def test_a_large_master_has_few_selections(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    names = [f"a_part{n}.h5" for n in range(100)]
    for final in (False, True):
        built = hdf5.build(trees.interleaved_tree(of, names, "a_meta.h5", 999_999, final=final))
        assert len(built.data) < 200_000
        of.path.write_bytes(built.data)
        with h5py.File(of.path) as read:
            assert len(read["/det/data"].virtual_sources()) == 2
            assert len(read["/det/data_in_turn"].virtual_sources()) == 100
            assert read["/det/data"].shape == (999_999, 4, 6)


@pytest.mark.parametrize("finished", [True, False])
def test_a_part_that_is_gone_does_not_look_like_images(tmp_path: Path, finished: bool) -> None:
    path = in_files(tmp_path / "a.h5", 10, 4, finished=finished)
    part_path(path, 2).unlink()
    with h5py.File(path) as read:
        found, table = read["/entry/data/data"][:], read["/det/metadata"][:]
    assert np.array_equal(found[:4], images(4))
    assert (found[4:8] == np.iinfo("u2").max).all()
    assert list(table["status"]) == [0] * 4 + [LOST] * 4 + [0] * 2
    assert np.isnan(table["exposure"][4:8]).all()
    assert any("a_part0002.h5 does not exist" in problem for problem in verify(path).problems)


def test_a_part_or_the_metadata_of_images_in_turn_may_be_gone(tmp_path: Path) -> None:
    path = in_turn(tmp_path / "a.h5", 10, 3)
    turn_paths(path, 3)[1].unlink()
    meta_path(path).unlink()
    with h5py.File(path) as read:
        assert (read["/entry/data/data"][1::3] == np.iinfo("u2").max).all()
        assert np.array_equal(read["/entry/data/data"][2::3], images(10)[2::3])
        assert (read["/det/metadata"]["status"] == LOST).all()
    problems = verify(path).problems
    assert [p for p in problems if "does not exist" in p] == [
        f"{turn_paths(path, 3)[1]} does not exist",
        f"{meta_path(path)} does not exist",
    ]


@pytest.mark.parametrize(
    ("dtype", "value"), [("u1", 255), ("<u4", 2**32 - 1), ("<i4", -1), (">i2", -1), ("<f4", np.nan)]
)
def test_what_is_lost_has_a_value_of_its_own(dtype: str, value: float) -> None:
    assert np.array_equal(lost(np.dtype(dtype)), np.array(value, dtype), equal_nan=True)
    assert lost(np.dtype(dtype)).dtype == np.dtype(dtype)


def test_each_part_has_a_name_for_readers_without_virtual_datasets(tmp_path: Path) -> None:
    path = in_files(tmp_path / "a.h5", 10, 4)
    with h5py.File(path) as read:
        data = read["/entry/data"]
        names = [name for name in data if name.startswith("data_")]
        assert names == ["data_000001", "data_000002", "data_000003"] and len(parts_there(path)) == 3
        assert np.array_equal(np.concatenate([data[name][:] for name in names]), images(10))


def test_a_master_leads_to_the_extra_values_of_its_parts(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = Placeholder.create(of.path, "det", {}).become(of.shape, of.dtype, of.members, "none", 4)
    file.append([payload(of, n) for n in range(10)], rows(of, 0, 10), extra(0, 10))
    file.finish({**DONE, "written": 10})
    assert extra_ids(of.path) == [[0, 3], [6], [9]]


def test_a_master_over_parts_in_turn_leads_to_their_extra_values(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for number, part in enumerate(turn_paths(path, 2)):
        of = plan(part, attributes={"master": path.name})
        file = FrameFile.create(of)
        values = extra(0, 10)
        chosen = values[values["image_id"] % 2 == number]
        chosen["image"] //= 2
        file.append([payload(of, n) for n in range(number, 10, 2)], rows(of, 0, 10)[number::2], chosen)
        file.finish(DONE)
    interleaved(path, 2, 10).finish({**DONE, "written": 10})
    assert extra_ids(path) == [[0, 6], [3, 9]]


def extra_ids(path: Path) -> list[list[int]]:
    """The ids of the images with extra values, part by part."""
    with h5py.File(path) as read:
        group = read["/entry/instrument/detector"]
        return [list(group[name]["image_id"]) for name in sorted(group) if name.startswith("extra_values_")]
