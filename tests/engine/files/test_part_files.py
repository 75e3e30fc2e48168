"""Files of several writers shown as one, made by the HDF5 library as others would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.part_files import SHAPE, image, write, write_meta

from repstream.errors import Refused, StorageError
from repstream.files import contents
from repstream.files.part_files import interleave
from repstream.files.reader import FileReader


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_images_are_shown_in_turn_up_to_the_first_that_is_missing(tmp_path: Path, counts: list[int]) -> None:
    folder = tmp_path / "-".join(map(str, counts))
    write(folder, counts)
    output = folder / "all.h5"
    output.unlink(missing_ok=True)
    expected = next(i for i in range(100) if counts[i % len(counts)] <= i // len(counts))
    if not expected:
        with pytest.raises(StorageError, match="has no image"):
            interleave(folder, "file", output, [tmp_path])
        return
    made = interleave(folder, "file", output, [tmp_path])
    assert (made.count, made.left_over) == (expected, sum(counts) - expected)
    with h5py.File(output) as file:
        assert file["interleaved_data"].is_virtual
        assert np.array_equal(file["interleaved_data"][:], [image(i) for i in range(expected)])
        assert file["interleaved_metadata"]["image_id"].tolist() == [100 + i for i in range(expected)]
    with FileReader(output) as reader:
        assert reader.count == expected
        assert np.array_equal(reader.image(expected - 1), image(expected - 1))


def test_a_long_one_is_shown_in_turn_too(tmp_path: Path) -> None:
    write(tmp_path, [401, 400, 400])
    interleave(tmp_path, "file", tmp_path / "all.h5", [tmp_path])
    with h5py.File(tmp_path / "all.h5") as file:
        assert np.array_equal(file["interleaved_data"][:, 0, 0], np.arange(1201))


def test_fields_of_the_metadata_file_are_found_by_image_id(tmp_path: Path) -> None:
    write(tmp_path, [2, 2], prefix="scan_")
    write_meta(tmp_path, [103, 100, 102], "scan_")
    interleave(tmp_path, "scan_", tmp_path / "all.h5", [tmp_path])
    count, rows = contents.rows(tmp_path / "all.h5", 0, 10, [tmp_path])
    assert count == 4
    ids = [100, 101, 102, 103]
    assert [row["image_id"] for row in rows] == ids
    assert [row["status"] for row in rows] == [1] * 4
    assert [row["exposure_time"] for row in rows] == [200, 0, 204, 206]
    assert contents.rows(tmp_path / "all.h5", 3, 10, [tmp_path])[1] == rows[3:]


def test_the_list_of_datasets_says_what_they_are(tmp_path: Path) -> None:
    write(tmp_path, [2])
    with h5py.File(tmp_path / "file0.h5", "a") as file:
        file["gigafrost/data"].attrs.update(
            {"unit": "counts", "nan": np.nan, "list": [1, 2], "text": b"\xff"}
        )
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
    data, rows = contents.datasets(tmp_path / "file0.h5")
    assert data | {"metadata": {}} == {
        "name": "gigafrost/data",
        "shape": [2, *SHAPE],
        "dtype": "uint16",
        "size": 48,
        "metadata": {},
    }
    assert data["metadata"]["unit"] == "counts"
    assert data["metadata"]["nan"] is None
    assert data["metadata"]["list"] == [1, 2]
    assert rows["name"] == "gigafrost/metadata"


def refused(folder: Path, roots: Sequence[Path], output: str = "all.h5") -> str:
    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}

    before = everything()
    with pytest.raises((StorageError, Refused)) as caught:
        interleave(folder, "file", folder / output, roots)
    assert everything() == before
    return str(caught.value)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, [2, 2])
    assert "not below an allowed folder" in refused(root, [root], "../all.h5")
    (root / "sub").mkdir()
    assert "must lie beside" in refused(root, [root], "sub/all.h5")
    (root / "kept.h5").write_bytes(b"dear")
    assert "exists" in refused(root, [root], "kept.h5")
    assert "file1.h5" in refused(root, [root], "file1.h5")
    write(tmp_path / "other", [1, 1], dtype=np.uint32)
    (tmp_path / "other" / "file1.h5").rename(root / "file2.h5")
    assert "differ: uint32 and uint16" in refused(root, [root])
    (root / "file2.h5").unlink()
    (root / "file2.h5").symlink_to(tmp_path / "other" / "file0.h5")
    assert "not below an allowed folder" in refused(root, [root])
    (root / "file2.h5").unlink()
    (root / "file2.h5").write_bytes(b"no HDF5")
    assert "cannot be opened as HDF5" in refused(root, [root])
    (root / "file0.h5").unlink()
    assert "file0.h5 does not exist" in refused(root, [root])


def test_odd_files_of_others_are_looked_at_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["null"] = h5py.Empty("f")
        file["text"] = "scalar"
        file["references"] = np.array([file["text"].ref], h5py.ref_dtype)
        file.create_dataset("ragged", (2,), h5py.vlen_dtype(np.int32))
        file["gone"] = h5py.SoftLink("/nowhere")
        file.create_dataset("wide/metadata", (100,), np.dtype([("image_id", "<u8"), ("blob", "u1", 2**20)]))
    assert {item["name"] for item in contents.datasets(path)} >= {"null", "text", "references", "ragged"}
    count, rows = contents.rows(path, 0, 100, [tmp_path])
    assert count == 100
    assert 0 < len(rows) < 100
    for bad, says in (("none.h5", "does not exist"), ("odd.txt", "cannot be opened")):
        (tmp_path / "odd.txt").write_text("no HDF5")
        for look in (contents.datasets, lambda path: contents.rows(path, 0, 1, [tmp_path])):
            with pytest.raises(StorageError, match=says):
                look(tmp_path / bad)
    write(tmp_path, [0])
    (tmp_path / "file0.h5").unlink()
    with h5py.File(tmp_path / "file0.h5", "w") as file:
        file["a/data"] = 1
    with pytest.raises(StorageError, match="has no metadata"):
        contents.rows(tmp_path / "file0.h5", 0, 1, [tmp_path])
    with pytest.raises(StorageError, match="has no images"):
        interleave(tmp_path, "file", tmp_path / "all.h5", [tmp_path])
