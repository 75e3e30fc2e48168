"""Files of hosts that shared images by their ids: each image stands where its id belongs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.part_files import ROW, SHAPE, image

from repstream.errors import Refused, StorageError
from repstream.files.gaps import joined
from repstream.files.host_files import join
from repstream.files.plan import LOST, MISSING
from repstream.files.verify import verify

NAMES = ("north", "south", "east")
DONE = {"outcome": "completed", "message": ""}


def write(path: Path, ids: list[int], step: int, came: set[int]) -> None:
    """A file as a writer with placement by id makes it: it begins with the first of its ids that came."""
    ids = ids[next((n for n, i in enumerate(ids) if i in came), len(ids)) :]
    rows = np.zeros(len(ids), ROW)
    rows["image_id"] = ids
    rows["status"] = [0 if i in came else MISSING for i in ids]
    with h5py.File(path, "w") as file:
        data = [image(i if i in came else 0) for i in ids]
        file["detector/data"] = np.array(data, np.uint16).reshape(len(ids), *SHAPE)
        file["detector/metadata"] = rows


def write_all(folder: Path, hosts: int, ids: range, came: set[int], cut: int = 0) -> dict[str, Path]:
    files = {name: folder / f"scan_{name}.h5" for name in NAMES[:hosts]}
    for place, path in enumerate(files.values()):
        own = [i for i in ids if i % hosts == place]
        write(path, own[: len(own) - cut] if place == 0 else own, hosts, came)
    return files


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), hosts=st.integers(1, 3), first=st.integers(0, 7), count=st.integers(1, 20))
def test_each_image_stands_at_the_place_of_its_id(
    tmp_path: Path, data: st.DataObject, hosts: int, first: int, count: int
) -> None:
    ids = range(first, first + count)
    came = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    for path in tmp_path.iterdir():
        path.unlink()
    made = join(tmp_path / "scan.h5", write_all(tmp_path, hosts, ids, came), first, count, DONE)
    lost = [i for i in ids if i not in came]
    assert (made.written, made.missing_ids) == (len(came), joined([(i, i) for i in lost], []))
    assert sum(share.written for share in made.shares) == len(came)
    assert sum(share.missing for share in made.shares) == len(lost)
    with h5py.File(made.path) as file:
        images, rows = file["entry/data/data"][:], file["interleaved_metadata"][:]
    assert rows["image_id"].tolist() == list(ids)
    for place, i in enumerate(ids):
        assert (rows["status"][place] == 0) == (i in came)
        if i in came:
            assert np.array_equal(images[place], image(i))
    assert verify(made.path).complete == (not lost)


@pytest.mark.parametrize("count", [9, 1501])
def test_the_images_of_a_host_that_died_are_blank_behind_its_last(tmp_path: Path, count: int) -> None:
    ids = range(3, 3 + count)
    files = write_all(tmp_path, 3, ids, set(ids), cut=2)
    made = join(tmp_path / "scan.h5", files, 3, count, {"outcome": "failed", "message": "north died"})
    lost = [i for i in ids if i % 3 == 0][-2:]
    assert made.missing_ids == [(i, i) for i in lost]
    with h5py.File(made.path) as file:
        assert np.array_equal(file["entry/data/data"][:, 0, 0], [65535 if i in lost else i for i in ids])
        assert file["interleaved_metadata"]["status"][lost[0] - 3] == LOST
    assert verify(made.path).problems[-2:] == [
        "failed: north died",
        f"2 images never came: {lost[0]},{lost[1]}",
    ]


def test_a_file_that_is_not_there_has_no_images(tmp_path: Path) -> None:
    files = write_all(tmp_path, 2, range(6), set(range(6)))
    files["south"].unlink()
    made = join(tmp_path / "scan.h5", files, 0, 6, DONE)
    assert [(s.host, s.written, s.missing) for s in made.shares] == [("north", 3, 0), ("south", 0, 3)]


def test_files_of_another_order_are_refused(tmp_path: Path) -> None:
    files = write_all(tmp_path, 2, range(6), set(range(6)))
    swapped = {"south": files["south"], "north": files["north"]}
    with pytest.raises(StorageError, match="has other images than the ids 0, 2 and so on"):
        join(tmp_path / "scan.h5", swapped, 0, 6, DONE)
    assert not (tmp_path / "scan.h5").exists()


def test_a_file_that_exists_stays(tmp_path: Path) -> None:
    files = write_all(tmp_path, 2, range(6), set(range(6)))
    (tmp_path / "scan.h5").write_text("mine")
    with pytest.raises(Refused, match="exists"):
        join(tmp_path / "scan.h5", files, 0, 6, DONE)
    assert (tmp_path / "scan.h5").read_text() == "mine"
