from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from tests.engine.files.samples import image, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import FilePlan, FrameFile, Placeholder, checksum
from repstream.files.plan import MISSING
from repstream.files.verify import verify

COMPLETED: dict[str, Any] = {"outcome": "completed", "series": 1}


def written(
    path: Path,
    ids: list[int],
    *,
    kind: str = "none",
    compression: str = "none",
    requested: int = 0,
    shape: tuple[int, int] = (4, 6),
    **results: Any,
) -> Path:
    """A finished file with the images of these ids; None stands for a blank place."""
    members = checksum.members(kind)
    facts = {"start_time": 1.0, "num_requested": requested, "checksum": kind}
    of = FilePlan(path, "det", shape, np.dtype("<u2"), members, compression, facts)
    file = FrameFile.create(of)
    table = np.zeros(len(ids), of.row_dtype)
    table["image_id"] = ids
    payloads = [payload(of, number) for number in ids]
    if kind != "none":
        table[checksum.MEMBER] = [checksum.function(kind)(data) for data in payloads]
    file.append(payloads, table)
    if "outcome" not in results or results["outcome"]:
        file.finish({**COMPLETED, "written": len(ids), **results})
    else:
        file.close()
    return path


def damage(path: Path, number: int, at: int = 20) -> None:
    """Turn a bit of a stored image."""
    with h5py.File(path) as read:
        place = read["/det/data"].id.get_chunk_info(number).byte_offset + at
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("kind", ["none", "xxh3", "crc32c"])
def test_a_good_file_is_complete(tmp_path: Path, kind: str, compression: str) -> None:
    found = verify(written(tmp_path / "a.h5", list(range(70)), kind=kind, compression=compression))
    assert (found.complete, found.images, found.problems) == (True, 70, [])
    assert found.checked == ("readable" if kind == "none" else kind)


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("kind", ["xxh3", "crc32c"])
def test_one_bit_is_found_by_its_checksum(tmp_path: Path, kind: str, compression: str) -> None:
    path = written(tmp_path / "a.h5", list(range(20)), kind=kind, compression=compression)
    damage(path, 13)
    found = verify(path)
    assert found.damaged == [(13, "wrong checksum")]
    assert not found.complete


def test_damaged_lengths_of_a_compressed_image_are_found_without_unpacking(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", list(range(5)), compression="bitshuffle_lz4")
    damage(path, 3, at=12)
    assert [number for number, _ in verify(path).damaged] == [3]


def with_a_hole(path: Path, number: int) -> None:
    """Copy the file over itself without the bytes of an image."""
    with h5py.File(path) as read:
        chunk = read["/det/data"].id.get_chunk_info(number)
    content = path.read_bytes()
    path.unlink()
    first, stop = -(-chunk.byte_offset // 4096) * 4096, (chunk.byte_offset + chunk.size) // 4096 * 4096
    with path.open("wb") as file:
        file.write(content[:first])
        file.seek(stop)
        file.write(content[stop:])
    with path.open("rb") as file:
        if os.lseek(file.fileno(), first, os.SEEK_DATA) < stop:
            pytest.skip("the file system of the temporary folder makes no holes")


@pytest.mark.parametrize(("kind", "wrong"), [("none", "hole in the file"), ("xxh3", "wrong checksum")])
def test_an_image_that_was_never_stored_is_found(tmp_path: Path, kind: str, wrong: str) -> None:
    path = written(tmp_path / "a.h5", list(range(5)), kind=kind, shape=(70, 90))
    assert verify(path).complete
    with_a_hole(path, 2)
    ((number, found),) = verify(path).damaged
    assert number == 2
    assert wrong in found


@pytest.mark.parametrize(("kind", "damaged"), [("none", []), ("xxh3", [(2, "wrong checksum")])])
def test_a_piece_of_a_plain_image_that_is_zeroed_shows_in_its_checksum_alone(
    tmp_path: Path, kind: str, damaged: list[tuple[int, str]]
) -> None:
    path = written(tmp_path / "a.h5", list(range(5)), kind=kind, shape=(70, 90))
    with h5py.File(path) as file:
        place = file["/entry/data/data"].id.get_chunk_info(2).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(bytes(4096))
    assert verify(path).damaged == damaged


def test_images_of_zeros_that_were_stored_and_blank_places_are_no_holes(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", shape=(70, 90))
    file = FrameFile.create(of)
    table = rows(of, 0, 3)
    table["status"][1] = MISSING
    zeros = bytes(of.image_nbytes)
    file.append([zeros, None, zeros], table)
    file.finish({**COMPLETED, "written": 2})
    assert verify(of.path).damaged == []
    with_a_hole(of.path, 1)
    assert verify(of.path).damaged == []


def test_missing_and_repeated_ids_are_listed(tmp_path: Path) -> None:
    found = verify(written(tmp_path / "a.h5", [3, 4, 7, 7, 9], missing=3))
    assert (found.missing, found.missing_count, found.repeated) == ([(5, 6), (8, 8)], 3, [7])
    assert "3 images never came: 5-6,8" in found.problems


def test_ids_that_were_left_out_as_planned_are_not_missing(tmp_path: Path) -> None:
    skipped = {"skipped_by_reason": '{"policy": 18}', "skipped": 18}
    assert verify(written(tmp_path / "a.h5", [0, 10, 20], **skipped)).complete
    found = verify(written(tmp_path / "b.h5", [0, 10, 20], missing=1, missing_ids="15", **skipped))
    assert found.missing == [(15, 15)]


def test_a_numbering_that_began_anew_is_no_repetition(tmp_path: Path) -> None:
    assert verify(written(tmp_path / "a.h5", [0, 1, 2, 0, 1, 2], series=2)).complete


def test_dropped_images_and_bad_ends_are_told(tmp_path: Path) -> None:
    found = verify(written(tmp_path / "a.h5", [0, 1], dropped_by_reason='{"queue": 2, "shape": 1}'))
    assert found.problems == ["3 images came and were dropped (queue 2, shape 1)"]
    found = verify(written(tmp_path / "b.h5", [0, 1], outcome="failed", message="ERROR:disk full"))
    assert found.problems == ["failed: ERROR:disk full"]
    found = verify(written(tmp_path / "c.h5", [0, 1], outcome=""))
    assert found.problems == ["not finished: its writer is still at it, or was killed"]
    assert verify(written(tmp_path / "d.h5", [0, 1], written=3)).problems


def test_a_file_that_was_cut_off_is_unreadable_or_damaged(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", list(range(50)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StorageError):
        verify(path)


def test_blank_places_are_counted(tmp_path: Path) -> None:
    of = FilePlan(tmp_path / "a.h5", "det", (4, 6), np.dtype("<u2"))
    file = FrameFile.create(of)
    table = np.zeros(4, of.row_dtype)
    table["image_id"], table["status"] = [5, 6, 7, 8], [0, MISSING, MISSING, 0]
    file.append([payload(of, 5), None, None, payload(of, 8)], table)
    file.finish({**COMPLETED, "written": 2, "missing": 2})
    found = verify(of.path)
    assert (found.images, found.blank, found.missing) == (4, 2, [(6, 7)])


def master(folder: Path, parts: list[list[int]], name: str = "master.h5") -> Path:
    """A virtual dataset over files of these ids, as others make one."""
    total = sum(map(len, parts))
    images = h5py.VirtualLayout((total, 4, 6), "<u2")
    first = 0
    for number, ids in enumerate(parts):
        written(folder / f"part{number}.h5", ids, kind="xxh3")
        images[first : first + len(ids)] = h5py.VirtualSource(
            f"part{number}.h5", "/det/data", (len(ids), 4, 6)
        )
        first += len(ids)
    with h5py.File(folder / name, "w") as file:
        file.create_virtual_dataset("/entry/data/data", images)
    return folder / name


def test_parts_of_a_virtual_dataset_are_looked_at(tmp_path: Path) -> None:
    path = master(tmp_path, [[0, 1, 2], [3, 4, 5]])
    assert verify(path).complete
    assert (verify(path).images, len(verify(path).files)) == (6, 3)
    damage(tmp_path / "part1.h5", 1)
    assert verify(path).damaged == [(4, "wrong checksum")]
    (tmp_path / "part0.h5").unlink()
    assert any("part0.h5 does not exist" in problem for problem in verify(path).problems)


def test_checksums_count_only_while_images_are_stored_as_they_were(tmp_path: Path) -> None:
    path, repacked = written(tmp_path / "a.h5", [0, 1, 2], kind="xxh3"), tmp_path / "b.h5"
    filters = hdf5plugin.Bitshuffle(cname="lz4")
    with h5py.File(path) as old, h5py.File(repacked, "w") as new:
        for name in ("entry", "det"):
            old.copy(name, new)
        del new["/det/data"], new["/entry/data/data"]
        images = new.create_dataset("/entry/data/data", data=old["/det/data"][:], chunks=(1, 4, 6), **filters)
        new["/det/data"] = images
    found = verify(repacked)
    assert (found.complete, found.checked) == (True, "readable")


def test_a_repacked_file_is_read_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        stack = np.array([image(number) for number in range(9)])
        file.create_dataset("/entry/data/data", data=stack, chunks=(3, 4, 6), **hdf5plugin.Zstd())
    found = verify(path)
    assert (found.complete, found.images, found.checked) == (True, 9, "readable")


def test_what_is_no_such_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not a file of images")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    for name, reason in (("text", "cannot be opened"), ("empty", "no images"), ("none", "does not exist")):
        with pytest.raises(StorageError, match=reason):
            verify(tmp_path / f"{name}.h5")


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    verify(written(tmp_path / "a.h5", [0, 1, 2]), lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_master_is_found_through_a_link_in_another_folder(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = Placeholder.create(of.path, "det", {}).become(of.shape, of.dtype, of.members, "none", 2)
    file.append([payload(of, n) for n in range(5)], rows(of, 0, 5))
    file.finish({"outcome": "completed", "series": 1, "written": 5})
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.h5"
    link.symlink_to(of.path)
    found = verify(link)
    assert (found.complete, found.images, found.problems) == (True, 5, [])


def test_a_file_cut_short_is_told_from_a_complete_one(tmp_path: Path) -> None:
    facts = {"num_requested": 10}
    for outcome, count, cut in (
        ("interrupted", 4, True),
        ("interrupted", 10, False),
        ("completed", 10, False),
    ):
        of = plan(tmp_path / f"{outcome}{count}.h5", attributes=facts)
        file = FrameFile.create(of)
        file.append([payload(of, n) for n in range(count)], rows(of, 0, count))
        file.finish({"outcome": outcome, "series": 1, "written": count})
        found = verify(of.path)
        assert (found.complete, found.cut_short, found.requested) == (True, cut, 10)
        assert found.as_dict()["cut_short"] is cut
