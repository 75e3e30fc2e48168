"""When the images of an acquisition are in its file, and when that is told."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from tests.engine.dataplane.bench import image, message, plan

from repstream.dataplane.storing.frame_store import SHOW_INTERVAL, FrameStore, Stored
from repstream.dataplane.storing.placement import Place, Placed
from repstream.messages import array_1_0


def placed(first: int, count: int) -> list[Placed]:
    return [Placed(array_1_0.decode(message(number))) for number in range(first, first + count)]


def ids(stored: list[Stored]) -> list[int]:
    return [frame_id for frame_id, _ in stored]


def wait(store: FrameStore) -> list[Stored]:
    """What its thread does while no images come."""
    stored: list[Stored] = []
    while (due := store.due) is not None:
        time.sleep(due)
        stored += store.announce()
    return stored


def images_in(path: Path) -> np.ndarray:
    with h5py.File(path) as read:
        return read["/detector/data"][:] if "/detector/data" in read else np.zeros((0, 4, 5))


def test_an_image_that_comes_alone_is_there_at_once(tmp_path: Path) -> None:
    store = FrameStore(plan(tmp_path / "a.h5"))
    for number in range(3):
        assert ids(store.write(placed(number, 1))) == [number]
        assert len(images_in(tmp_path / "a.h5")) == number + 1
        assert store.due is None
        time.sleep(SHOW_INTERVAL)
    store.finish({})


def test_many_are_told_together(tmp_path: Path) -> None:
    store = FrameStore(plan(tmp_path / "a.h5"))
    told = [ids(store.write(placed(4 * number, 4))) for number in range(100)]
    assert [] in told
    assert [frame_id for some in told for frame_id in some] + ids(wait(store)) == list(range(400))
    assert np.array_equal(images_in(tmp_path / "a.h5"), [image(number) for number in range(400)])
    store.finish({})


@pytest.mark.parametrize("sync_interval", [0.0, 0.01])
def test_packed_images_are_told_when_they_are_in_the_file(tmp_path: Path, sync_interval: float) -> None:
    path = tmp_path / "a.h5"
    store = FrameStore(plan(path, compression="bitshuffle_lz4", sync_interval=sync_interval))
    told: list[int] = []
    for number in range(40):
        told += ids(store.write(placed(5 * number, 5)))
        assert len(images_in(path)) >= len(told)
    told += ids(wait(store))
    assert told == list(range(200))
    assert np.array_equal(images_in(path), [image(number) for number in range(200)])
    store.finish({})


def test_what_waits_is_written_by_a_sync(tmp_path: Path) -> None:
    store = FrameStore(plan(tmp_path / "a.h5", compression="bitshuffle_lz4"))
    told = ids(store.write(placed(0, 100))) + ids(store.write(placed(100, 100)))
    told += ids(store.sync())
    assert told == list(range(200))
    assert store.due is None
    store.finish({})


def extra_in(path: Path) -> list[tuple[int, int, bytes]]:
    """Image, its id and exact text of each extra value in a file."""
    with h5py.File(path) as read:
        values = read["/detector/extra_values"][:]
        return sorted(
            zip(values["image"].tolist(), values["image_id"].tolist(), values["text"].tolist(), strict=True)
        )


def late_value(frame_id: int, number: int) -> Placed:
    """A frame for a place, with an attribute that frame 0 does not have, ten times its id."""
    attributes = {"a": 1} | ({"late": 10 * frame_id} if frame_id else {})
    frame = array_1_0.decode(message(frame_id, image_attributes=attributes))
    return Placed(frame, Place(number, 0))


def test_extra_values_follow_their_images_to_their_places(tmp_path: Path) -> None:
    store = FrameStore(plan(tmp_path / "a.h5", placement="by_id"))
    store.write([late_value(0, 0), late_value(4, 4), late_value(2, 2), late_value(6, 6)])
    store.write([late_value(5, 5), late_value(1, 1), late_value(7, 7)])
    wait(store)
    store.finish({})
    ids_there = [1, 2, 4, 5, 6, 7]
    assert extra_in(tmp_path / "a.h5") == [(i, i, b"%d" % (10 * i)) for i in ids_there]


def test_extra_values_lie_in_the_part_of_their_image(tmp_path: Path) -> None:
    store = FrameStore(plan(tmp_path / "a.h5", images_per_file=4))
    store.write([Placed(late_value(number, 0).frame) for number in range(10)])
    wait(store)
    store.finish({})
    found = [extra_in(tmp_path / f"a_part000{part}.h5") for part in (1, 2, 3)]
    assert found == [
        [(i % 4, i, b"%d" % (10 * i)) for i in range(4 * part, min(4 * part + 4, 10)) if i]
        for part in range(3)
    ]
