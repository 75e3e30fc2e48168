"""The file over those of several receivers: each image stands where its id belongs, whoever has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.part_files import ROW, SHAPE, image

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.placeholder import Placeholder
from repstream.files.shared_images import SharedImages, arrange, runs_of, show
from repstream.files.verify import verify

BLANK = np.iinfo(np.uint16).max


def write(path: Path, ids: Sequence[int], shape: tuple[int, int] = SHAPE) -> None:
    """A part as a receiver leaves it."""
    rows = np.zeros(len(ids), ROW)
    rows["image_id"] = ids
    with h5py.File(path, "w") as file:
        data = np.array([np.resize(image(i), shape) for i in ids], np.uint16).reshape(len(ids), *shape)
        file["detector/data"], file["detector/metadata"] = data, rows
        for name in ("part/data", "entry/data/data"):
            file[name] = file["detector/data"]
        for name in ("part/metadata", "entry/instrument/detector/metadata"):
            file[name] = file["detector/metadata"]
        file["entry/acquisition/outcome"] = b"completed"
        file["entry/acquisition/written"] = len(ids)


def made(
    folder: Path,
    parts: Sequence[Sequence[int]],
    *,
    step: int = 1,
    first: int | None = None,
    most: int = 0,
    by_id: bool = False,
) -> SharedImages:
    """``scan.h5`` over files with these ids."""
    files = [folder / f"scan_part{number}.h5" for number in range(len(parts))]
    for path, ids in zip(files, parts, strict=True):
        write(path, ids)
    placeholder = Placeholder.create(folder / "scan.h5", "detector", {"id_step": step, "start_time": 1.7e9})
    images = SharedImages(files, step, first, most, by_id=by_id)
    written = images.arrangement.written
    show(placeholder, images, "none", {"outcome": "completed", "written": written, "series": 1})
    return images


@pytest.fixture(autouse=True, params=[5, 1000], ids=["in columns", "singly"])
def most_single(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MOST_SINGLE", request.param)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whose=st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=30),
    step=st.integers(1, 3),
    by_id=st.booleans(),
)
def test_every_image_is_shown_whoever_has_it(
    tmp_path: Path, whose: list[int | None], step: int, by_id: bool
) -> None:
    """Number i of `whose` has the i-th image; None: nobody has it."""
    for path in tmp_path.iterdir():
        path.unlink()
    ids = [100 + number * step for number in range(len(whose))]
    parts = [[i for i, who in zip(ids, whose, strict=True) if who == part] for part in range(3)]
    shown = [i for i, who in zip(ids, whose, strict=True) if who is not None]
    images = made(tmp_path, parts, step=step, first=100, by_id=by_id)
    assert images.arrangement.written == len(shown)
    with h5py.File(tmp_path / "scan.h5") as file:
        if not shown:
            assert len(file["entry/data/data"]) == 0
            return
        places = ids[: ids.index(shown[-1]) + 1] if by_id else shown
        for name in ("detector/data", "entry/data/data", "entry_0000/measurement/data"):
            assert file[name].shape == (len(places), *SHAPE)
        rows, data = file["detector/metadata"][:], file["entry/data/data"]
        assert rows["image_id"].tolist() == places
        for number, frame_id in enumerate(places):
            expected = image(frame_id) if frame_id in shown else BLANK
            assert (data[number] == expected).all(), frame_id
            assert (rows["status"][number] == 0) == (frame_id in shown)
    if places == [*range(shown[0], shown[-1] + 1, step)] == shown:
        assert verify(tmp_path / "scan.h5").problems == []


def test_in_turn_needs_a_run_a_file_and_each_break_a_few_more() -> None:
    even, odd = np.arange(0, 200_000, 2), np.arange(1, 200_000, 2)
    assert len(runs_of(arrange([even, odd]), 2)) == 2
    # From the middle on the sender gives the next frame to the same receiver.
    swapped = [np.concatenate([even[:500], odd[500:]]), np.concatenate([odd[:500], even[500:]])]
    assert len(runs_of(arrange(swapped), 2)) == 4


def test_blocks_of_images_are_shown_as_blocks(tmp_path: Path) -> None:
    images = made(tmp_path, [[*range(10), *range(20, 30)], [*range(10, 20)]])
    assert images.columns == 1
    assert len(runs_of(images.arrangement, 1)) == 3


def test_an_id_that_two_have_is_shown_once_and_one_outside_not_at_all(tmp_path: Path) -> None:
    images = made(tmp_path, [[9, 10, 12, 14], [11, 12, 13, 20]], first=10, most=5)
    found = images.arrangement
    assert (found.written, found.repeated, found.outside) == (5, 1, 2)
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["detector/metadata"]["image_id"].tolist() == [10, 11, 12, 13, 14]
        assert [int(one[0, 0]) for one in file["entry/data/data"]] == [10, 11, 12, 13, 14]


def test_the_largest_ids_and_late_ones_have_their_places() -> None:
    last = 2**64 - 1
    found = arrange([np.array([last - 1, last - 3], np.uint64), np.array([last], np.uint64)], by_id=True)
    assert found.ids.tolist() == [last - 3, last - 2, last - 1, last]
    assert found.file.tolist() == [0, -1, 0, 1]
    assert found.index.tolist() == [1, -1, 0, 0]


def test_a_file_that_is_gone_is_left_out_and_images_of_another_kind_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [1, 2])
    gone = SharedImages([tmp_path / "none.h5", tmp_path / "a.h5"], 1, None, 0, by_id=False)
    assert (gone.counts, gone.arrangement.written) == ([0, 2], 2)
    write(tmp_path / "b.h5", [3], shape=(2, 2))
    with pytest.raises(StorageError, match=r"b\.h5 and a\.h5 differ"):
        SharedImages([tmp_path / "a.h5", tmp_path / "b.h5"], 1, None, 0, by_id=False)
