"""Images that are missing keep a blank place, which one that comes late fills."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from tests.engine.files.samples import image, payload, plan, rows

from repstream.files import FilePlan, FrameFile, frame_file
from repstream.files.plan import MISSING

compressions = pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])


def with_gaps(of: FilePlan, count: int, there: set[int], batch: int = 1000) -> FrameFile:
    """A file of `count` places, with images in those of `there`."""
    file = FrameFile.create(of)
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        table = rows(of, first, len(numbers))
        table["status"] = [0 if number in there else MISSING for number in numbers]
        file.append([payload(of, number) if number in there else None for number in numbers], table)
    return file


def check(path: Path, count: int, there: set[int]) -> None:
    with h5py.File(path) as read:
        data, table = read["/det/data"][:], read["/det/metadata"][:]
    assert len(data) == len(table) == count
    assert {number for number in range(count) if table["status"][number] == 0} == there
    for number in range(count):
        expected = image(number) if number in there else np.zeros((4, 6))
        assert np.array_equal(data[number], expected)
    assert np.array_equal(table["image_id"], np.arange(count))


@compressions
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_missing_images_are_blank_and_cost_one_image(tmp_path: Path, compression: str, batch: int) -> None:
    of = plan(tmp_path / "a.h5", compression=compression)
    there = {0, 1, 70, 200}
    file = with_gaps(of, 201, there, batch)
    check(of.path, 201, there)
    file.finish({})
    with h5py.File(of.path) as read:
        addresses = {read["/det/data"].id.get_chunk_info(number).byte_offset for number in range(201)}
    assert len(addresses) == len(there) + 1
    check(of.path, 201, there)


@compressions
def test_late_images_fill_their_places_and_readers_see_them(tmp_path: Path, compression: str) -> None:
    of = plan(tmp_path / "a.h5", compression=compression)
    there = {0, 5, 199}
    file = with_gaps(of, 200, there)
    for number in (198, 6, 64, 1, 130):
        file.fill(number, [payload(of, number)], rows(of, number, 1))
        there.add(number)
        check(of.path, 200, there)
    file.append([payload(of, 200)], rows(of, 200, 1))
    file.finish({})
    check(of.path, 201, there | {200})


def test_only_blank_places_are_filled(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = with_gaps(of, 3, {0, 2})
    file.fill(1, [payload(of, 1)], rows(of, 1, 1))
    for number in (0, 1, 2, 3):
        with pytest.raises(ValueError, match="not blank"):
            file.fill(number, [payload(of, number)], rows(of, number, 1))
    file.finish({})
    check(of.path, 3, {0, 1, 2})


@compressions
def test_the_file_is_whole_between_any_two_writes_of_a_late_image(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = plan(tmp_path / "a.h5", compression=compression)
    file = with_gaps(of, 130, {0, 129})
    seen: list[np.ndarray] = []
    write = frame_file.write_all

    def write_and_look(fd: int, data: bytes, offset: int) -> None:
        write(fd, data, offset)
        with h5py.File(of.path) as read:
            seen.append(read["/det/data"][100])
            good = read["/det/metadata"]["status"][100] == 0
            assert not good or np.array_equal(seen[-1], image(100))

    monkeypatch.setattr(frame_file, "write_all", write_and_look)
    file.fill(100, [payload(of, 100)], rows(of, 100, 1))
    assert len(seen) >= 4
    assert all(np.array_equal(found, image(100)) or not found.any() for found in seen)
    monkeypatch.undo()
    file.finish({})
    check(of.path, 130, {0, 100, 129})


def test_without_announcing_images_wait_for_the_disk(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    assert file.append([payload(of, 0), None], rows(of, 0, 2), announce=False) == 0
    assert (file.count, file.places) == (0, 2)
    with h5py.File(of.path) as read:
        assert len(read["/det/data"]) == len(read["/det/metadata"]) == 0
    file.sync()
    assert file.count == 2
    file.fill(1, [payload(of, 1)], rows(of, 1, 1), durable=True)
    file.append([payload(of, 2)], rows(of, 2, 1), announce=False)
    file.finish({})
    check(of.path, 3, {0, 1, 2})
