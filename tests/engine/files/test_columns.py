"""The metadata as plain datasets: the same numbers as in the rows, in every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.files.samples import payload
from tests.engine.files.samples import plan as plain_plan

from repstream.files import FilePlan, FrameFile, Placeholder
from repstream.files.columns import ARRIVAL_TIME, EPICS_EPOCH, NDATTRIBUTES, columns_of
from repstream.files.plan import MISSING
from repstream.files.row_file import RowFile
from repstream.files.series import FileSeries

DONE = {"outcome": "completed", "series": 1}
MEMBERS = ((ARRIVAL_TIME, np.dtype("<f8")), ("start_time", np.dtype("<u8")), ("no name", np.dtype("<f8")))


def plan(path: Path, **changes: Any) -> FilePlan:
    return FilePlan(path, "det", (4, 6), np.dtype("<u2"), MEMBERS, **changes)


def rows(first: int, count: int) -> np.ndarray[Any, Any]:
    table = np.zeros(count, plan(Path("/a")).row_dtype)
    table["image_id"] = np.arange(first, first + count) + 100
    table[ARRIVAL_TIME] = 1.7e9 + np.arange(first, first + count) / 8
    table["start_time"] = table["image_id"] * 1000
    return table


def assert_columns(path: Path, count: int, table: np.ndarray[Any, Any] | None = None) -> None:
    expected = rows(0, count) if table is None else table
    with h5py.File(path) as read:
        group = read[NDATTRIBUTES]
        assert set(group) == {
            "NDArrayUniqueId",
            "NDArrayTimeStamp",
            "NDArrayEpicsTSSec",
            "NDArrayEpicsTSnSec",
            "status",
            ARRIVAL_TIME,
            "start_time",
        }
        assert np.array_equal(group["NDArrayUniqueId"], expected["image_id"])
        for name in (ARRIVAL_TIME, "status", "start_time"):
            assert np.array_equal(group[name], expected[name], equal_nan=True)
        came = ~np.isnan(expected[ARRIVAL_TIME])
        stamp = group["NDArrayEpicsTSSec"][:] + group["NDArrayEpicsTSnSec"][:] * 1e-9
        assert np.allclose(stamp[came], expected[ARRIVAL_TIME][came] - EPICS_EPOCH, rtol=0, atol=1e-6)
        assert dict(group[ARRIVAL_TIME].attrs)["units"] == "s"
        assert dict(group["start_time"].attrs)["units"] == "ns"
        if "data" in read["/entry"]:
            data = read["/entry/data"]
            assert list(data.attrs["axes"]) == ["image_id", ".", "."]
            assert np.array_equal(data["image_id"], group["NDArrayUniqueId"])
            assert np.array_equal(data["time"], group[ARRIVAL_TIME], equal_nan=True)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.booleans())
@settings(max_examples=12)
def test_columns_follow_the_rows(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], announce: bool
) -> None:
    of = plan(tmp_path_factory.mktemp("columns") / "a.h5")
    file, first = FrameFile.create(of), 0
    for count in counts:
        file.append([payload(of, 0)] * count, rows(first, count), announce=announce)
        first += count
        if announce:
            assert_columns(of.path, first)
    file.finish(DONE)
    assert_columns(of.path, first)


def test_the_columns_of_an_image_that_comes_late_change_with_it(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file, table = FrameFile.create(of), rows(0, 5)
    table["status"][2], table[ARRIVAL_TIME][2] = MISSING, np.nan
    file.append([payload(of, n) if n != 2 else None for n in range(5)], table)
    assert_columns(of.path, 5, table)
    file.append([payload(of, 5)], rows(5, 1), announce=False)
    file.fill(2, [payload(of, 2)], rows(2, 1))
    file.sync()
    assert_columns(of.path, 6)


def test_masters_and_metadata_files_have_them(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    series = Placeholder.create(of.path, "det", {}).become(of.shape, of.dtype, of.members, "none", 4)
    assert isinstance(series, FileSeries)
    series.append([payload(of, n) for n in range(10)], rows(0, 10))
    assert_columns(of.path, 10)
    series.finish(DONE)
    assert_columns(of.path, 10)
    meta = plan(tmp_path / "m.h5", attributes={"metadata_of": "b.h5"})
    file = RowFile(meta, Placeholder.create(meta.path, "det", {}).state)
    file.append(rows(0, 1500))
    file.append(rows(1500, 1500))
    assert_columns(meta.path, 3000)


def test_at_most_64_members_have_a_dataset(tmp_path: Path) -> None:
    members = tuple((f"m{n}", np.dtype("<f8")) for n in range(100))
    of = FilePlan(tmp_path / "a.h5", "det", (4, 6), np.dtype("<u2"), members)
    FrameFile.create(of).finish(DONE)
    with h5py.File(of.path) as read:
        assert len(read[NDATTRIBUTES]) == 65
        assert len(read["/det/metadata"].dtype.names) == 102


def test_a_member_cannot_take_the_place_of_areadetectors_own() -> None:
    row = np.dtype([("image_id", "<u8"), ("status", "<u8"), ("NDArrayUniqueId", "<f8"), ("a/b", "<f8")])
    assert [(column.name, column.dtype.str) for column in columns_of(row)] == [
        ("NDArrayUniqueId", "<u8"),
        ("status", "<u8"),
    ]
    assert "arrival_time" not in {column.name for column in columns_of(plain_plan(Path("/a")).row_dtype)}
