from __future__ import annotations

import subprocess
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
import zmq
from tests.engine.files.samples import image, images, names, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import FrameFile
from repstream.messages.frame import PIXEL_TYPES

PATHS = ("/det/data", "/entry/data/data", "/entry/instrument/detector/data", "/entry_0000/measurement/data")
ORDERED = [f"{order}{np.dtype(name).str[1:]}" for name in PIXEL_TYPES for order in "<>"]


def write(of: object, count: int, batch: int = 7) -> FrameFile:
    file = FrameFile.create(of)
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        file.append([payload(of, number) for number in numbers], rows(of, first, len(numbers)))
    return file


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("dtype", ORDERED)
def test_images_come_back_as_they_went_in(tmp_path: Path, dtype: str, compression: str) -> None:
    of = plan(tmp_path / "a.h5", dtype, compression=compression)
    write(of, 20).finish({})
    with h5py.File(of.path) as read:
        data = read["/det/data"]
        assert data.dtype == np.dtype(dtype)
        assert data[:].tobytes() == images(20, dtype).tobytes()
        assert np.array_equal(read["/det/metadata"][:], rows(of, 0, 20))


def test_all_names_are_the_same_dataset(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    write(of, 3).finish({})
    with h5py.File(of.path) as read:
        assert len({h5py.h5o.get_info(read[path].id).addr for path in PATHS}) == 1
        assert read["/det/metadata"] == read["/entry/instrument/detector/metadata"]


def test_default_attributes_lead_a_viewer_to_the_images(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    write(of, 3).finish({})
    with h5py.File(of.path) as read:
        entry = read[read.attrs["default"]]
        group = entry[entry.attrs["default"]]
        assert (entry.attrs["NX_class"], group.attrs["NX_class"]) == ("NXentry", "NXdata")
        assert group[group.attrs["signal"]] == read["/det/data"]


def test_the_file_is_readable_after_every_append(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file, expected = FrameFile.create(of), images(130)
    for number in range(130):
        assert file.append([payload(of, number)], rows(of, number, 1)) == number + 1
        with h5py.File(of.path) as read:
            assert np.array_equal(read["/det/data"][:], expected[: number + 1])
            assert len(read["/det/metadata"]) == number + 1
    file.close()


@pytest.mark.parametrize("swmr", [False, True])
def test_an_open_reader_follows_by_refreshing(tmp_path: Path, swmr: bool) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    with h5py.File(of.path, swmr=swmr) as read:
        for number in range(100):
            file.append([payload(of, number)], rows(of, number, 1))
            read["/det/data"].id.refresh()
            assert np.array_equal(read["/det/data"][number], image(number))
    file.close()


def test_batches_and_single_appends_give_the_same_content(tmp_path: Path) -> None:
    contents = []
    for batch in (1, 100):
        of = plan(tmp_path / f"{batch}.h5")
        write(of, 100, batch).finish({"stop_time": 1.0})
        with h5py.File(of.path) as read:
            contents.append((read["/det/data"][:].tobytes(), read["/det/metadata"][:].tobytes()))
    assert contents[0] == contents[1]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65])
def test_a_finished_file_holds_exactly_what_was_appended(tmp_path: Path, count: int) -> None:
    of = plan(tmp_path / "a.h5")
    file = write(of, count)
    file.finish({"outcome": "Completed", "written": count})
    assert of.path.stat().st_size == file.nbytes
    with h5py.File(of.path) as read:
        assert read["/det/data"].shape == (count, 4, 6)
        assert read["/det/metadata"].shape == (count,)
        assert read["/det/data"].id.get_storage_size() == count * of.image_nbytes


def test_results_and_facts_are_in_the_file(tmp_path: Path) -> None:
    facts = {"start_time": 1.5e9, "run_id": "Lauf 7 é", "big": 2**64 - 1, "negative": -3, "nothing": ""}
    of = plan(tmp_path / "a.h5", attributes=facts)
    file = write(of, 2)
    with h5py.File(of.path) as read:
        assert read["/entry/acquisition/outcome"].asstr()[()] == "unfinished"
    file.finish({"outcome": "Interrupted", "missing": 2**63, "message": "é" * 2000, "stop_time": 1.6e9})
    with h5py.File(of.path) as read:
        group = read["/entry/acquisition"]
        assert group["run_id"].asstr()[()] == "Lauf 7 é"
        assert (group["big"][()], group["negative"][()], group["nothing"][()]) == (2**64 - 1, -3, b"")
        assert (group["outcome"][()], group["missing"][()]) == (b"Interrupted", 2**63)
        assert group["message"].asstr()[()] == "é" * 512
        assert read["/entry/start_time"][()] == b"2017-07-14T02:40:00.000000+00:00"
        assert read["/entry/end_time"][()] == b"2020-09-13T12:26:40.000000+00:00"


def test_a_result_without_a_field_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    file = write(plan(tmp_path / "a.h5"), 1)
    with pytest.raises(ValueError, match="colour"):
        file.finish({"colour": "green"})
    with pytest.raises(ValueError, match="many"):
        file.finish({"missing": "many"})
    file.finish({"outcome": "Completed"})


def test_an_existing_file_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"dear data")
    with pytest.raises(StorageError, match="exists"):
        FrameFile.create(plan(path))
    assert path.read_bytes() == b"dear data"
    assert names(tmp_path) == ["a.h5"]


def test_a_link_to_nowhere_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "a.h5").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="exists"):
        FrameFile.create(plan(tmp_path / "a.h5"))
    assert not (tmp_path / "elsewhere").exists()


def test_overwriting_replaces_the_name_and_not_what_others_have_open(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    with path.open("rb") as old:
        write(plan(path, overwrite=True), 3).finish({})
        assert old.read() == b"old"
    with h5py.File(path) as read:
        assert len(read["/det/data"]) == 3
    assert names(tmp_path) == ["a.h5"]


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        FrameFile.create(plan(tmp_path / "nowhere" / "a.h5"))


@pytest.mark.parametrize("bad", [b"", bytes(47), bytes(49)])
def test_a_payload_of_another_size_is_refused_before_writing(tmp_path: Path, bad: bytes) -> None:
    of = plan(tmp_path / "a.h5")
    file = write(of, 2)
    with pytest.raises(ValueError, match="expected 48"):
        file.append([payload(of, 2), bad], rows(of, 2, 2))
    assert file.append([payload(of, 2)], rows(of, 2, 1)) == 3
    file.finish({})


@pytest.mark.parametrize("bad", [b"", bytes(8), (49).to_bytes(8, "big") + bytes(20)])
def test_a_compressed_payload_of_another_image_is_refused(tmp_path: Path, bad: bytes) -> None:
    of = plan(tmp_path / "a.h5", compression="bitshuffle_lz4")
    file = FrameFile.create(of)
    with pytest.raises(ValueError, match="expected 48"):
        file.append([bad], rows(of, 0, 1))
    file.close()


def test_metadata_must_match_the_images(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        file.append([payload(of, 0)], rows(of, 0, 2))
    with pytest.raises(ValueError, match="type"):
        file.append([payload(of, 0)], np.zeros(1))
    assert file.append([], rows(of, 0, 0)) == 0
    file.close()


def test_large_images_begin_at_pages(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", "u1", (1025, 1024))
    write(of, 9, 4).finish({})
    with h5py.File(of.path) as read:
        data = read["/det/data"]
        assert [data.id.get_chunk_info(number).byte_offset % 4096 for number in range(9)] == [0] * 9
        assert np.array_equal(data[:], images(9, "u1", (1025, 1024)))


def test_any_contiguous_buffer_is_taken(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", ">u2")
    file, expected = FrameFile.create(of), images(4, ">u2")
    raw = [image.tobytes() for image in expected]
    file.append([zmq.Frame(raw[0]), memoryview(raw[1]), bytearray(raw[2]), expected[3]], rows(of, 0, 4))
    with pytest.raises(ValueError, match="contiguous"):
        file.append([np.zeros((6, 4), ">u2").T], rows(of, 4, 1))
    file.finish({})
    with h5py.File(of.path) as read:
        assert np.array_equal(read["/det/data"][:], expected)


def test_a_closed_file_takes_nothing(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = write(of, 1)
    file.finish({})
    file.close()
    with pytest.raises(StorageError, match="closed"):
        file.append([payload(of, 1)], rows(of, 1, 1))


def test_the_library_can_copy_extend_and_cut_a_finished_file(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    write(of, 100).finish({})
    with h5py.File(of.path, "r+") as file, h5py.File(tmp_path / "copy.h5", "w") as copy:
        file.copy("/det", copy)
        assert np.array_equal(copy["/det/data"][:], images(100))
        file["/det/data"].resize(300, 0)
        file["/det/data"][100:] = 7
        assert np.array_equal(file["/det/data"][:100], images(100))
    with h5py.File(of.path, "r+") as file:
        assert (file["/det/data"][100:] == 7).all()
        file["/det/data"].resize(10, 0)
    with h5py.File(of.path) as file:
        assert np.array_equal(file["/det/data"][:], images(10))


def test_other_versions_of_the_library_read_the_file(tmp_path: Path, h5dump: str) -> None:
    of = plan(tmp_path / "a.h5")
    file = write(of, 100)
    raw = tmp_path / "raw"
    command = [h5dump, "-d", "/det/data", "-b", "NATIVE", "-o", str(raw), str(of.path)]
    subprocess.run(command, check=True, capture_output=True)
    assert raw.read_bytes() == images(100).tobytes()
    file.finish({})
    subprocess.run(command, check=True, capture_output=True)
    assert raw.read_bytes() == images(100).tobytes()
