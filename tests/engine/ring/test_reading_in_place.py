"""Images that are written out of the ring where they lie, and judged afterwards."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import pytest
from tests.engine.dataplane.bench import Plane, plan, routing
from tests.engine.dataplane.test_acquisitions import end, start
from tests.engine.dataplane.test_parts import part_processes
from tests.engine.ring.peers import Producer

from repstream.dataplane import control
from repstream.dataplane.storing.frame_store import FrameStore, Stored
from repstream.dataplane.storing.part_process import RING_PIECES
from repstream.dataplane.storing.placement import Placed
from repstream.files.verify import verify
from repstream.messages import array_1_0
from repstream.parameters.configuration import Configuration
from repstream.sources.ring_image import Progress, RingImage, RingPlace, Rings, settled, view

SHAPE, SLOTS = (30, 40), 64
NBYTES = SHAPE[0] * SHAPE[1] * 2


@pytest.fixture
def plane() -> Iterator[Plane]:
    with routing() as plane:
        yield plane


class Ring:
    """A ring in memory of this process, with its progress."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 8 * NBYTES)
        self.progress = Progress()

    def image(self, image_id: int, numbering: int = 0) -> RingImage:
        offset = image_id % 8 * NBYTES
        pixels = np.full(SHAPE, 100 + image_id, "<u2")
        self.memory[offset : offset + NBYTES] = pixels.tobytes()
        place = RingPlace("", (0, 0), offset, NBYTES, image_id, numbering, 7, self.progress.place)
        return view(self.memory, place, self.progress.words)

    def placed(self, *ids: int) -> list[Placed]:
        found = []
        for image_id in ids:
            header = array_1_0.encode(image_id, np.zeros(SHAPE, "<u2"))[0]
            found.append(Placed(array_1_0.decode([header, self.image(image_id)])))
        return found


def wait(store: FrameStore, wanted: Callable[[list[Stored]], bool]) -> list[Stored]:
    stored: list[Stored] = []
    deadline = time.monotonic() + 20
    while not wanted(stored):
        assert time.monotonic() < deadline, stored
        stored += store.announce()
        time.sleep(0.001)
    return stored


@pytest.mark.parametrize("numbering", [0, 1])
def test_what_was_written_over_meanwhile_is_left_blank(tmp_path: Path, numbering: int) -> None:
    ring, rows = Ring(), list[Any]()
    store = FrameStore(plan(tmp_path / "a.h5"), on_rows=rows.append)
    assert store.write(ring.placed(0, 1, 2, 3)) == []
    for _ in range(100):  # nobody has looked since: nothing is shown
        assert store.announce() == []
    ring.progress.note(numbering, 8)
    stored = wait(store, lambda stored: len(stored) == 4)
    lost = {0, 1} if numbering == 0 else {0, 1, 2, 3}
    assert stored == [(i, 0 if i in lost else NBYTES) for i in range(4)]
    assert [int(row["status"]) for some in rows for row in some] == [int(i in lost) for i in range(4)]
    ring.progress.note(numbering, 8)
    more = store.write(ring.placed(8)) if numbering == 0 else []
    store.finish({"outcome": "completed", "written": 4 - len(lost) + bool(more)})
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["/detector/metadata"]["image_id"][:4].tolist() == [0, 1, 2, 3]
        for i in range(4):
            assert (file["/detector/data"][i] == (0 if i in lost else 100 + i)).all()
            assert file["/detector/metadata"][i]["status"] == (i in lost)
            assert file["/entry/instrument/NDAttributes/status"][i] == (i in lost)


def test_without_a_look_images_count_as_lost_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.dataplane.storing.frame_store.JUDGE_PATIENCE", 0.05)
    ring = Ring()
    store = FrameStore(plan(tmp_path / "a.h5"))
    assert store.write(ring.placed(0)) == []
    assert store.sync() == [(0, 0)]
    store.finish({})


def test_a_view_alone_is_not_settled() -> None:
    """Another process has nothing that could make a copy."""
    (placed,) = Ring().placed(1)
    assert settled(placed.frame) is None


def test_a_place_in_a_ring_that_is_gone_gives_none(tmp_path: Path) -> None:
    ring = Ring()
    path = tmp_path / "ring"
    path.write_bytes(bytes(8 * NBYTES))
    found = path.stat()
    there = ring.image(3).place
    there = msgspec.structs.replace(there, path=str(path), ring=(found.st_dev, found.st_ino))
    assert Rings().image(there) is not None
    for wrong in ({"ring": (0, 0)}, {"path": "/nowhere"}, {"offset": 2**40}, {"progress": ("/nowhere", 1)}):
        assert Rings().image(msgspec.structs.replace(there, **wrong)) is None


def test_the_progress_of_the_next_engine_is_not_taken_for_the_last() -> None:
    """A file descriptor's number is used again; a service that goes on must not look at what was there."""
    rings, seen = Rings(), []
    for _ in range(2):
        ring = Ring()
        seen.append(ring.progress.place[0])
        assert rings._words_of(ring.progress.place)[2] == 0
        ring.progress.note(0, 1)
        assert rings._words_of(ring.progress.place)[2] > 0
        gone = ring.progress.place
        ring.progress.close()
    assert seen[0] == seen[1]
    with pytest.raises(FileNotFoundError):
        Rings()._words_of(gone)


def pixels(image_id: int) -> np.ndarray[Any, Any]:
    return np.full(SHAPE, image_id + 1, "<u2")


def reading(ring: str) -> Configuration:
    return Configuration.model_validate(
        {
            "source": {"address": f"ring://{ring}", "ring_slots": SLOTS},
            "writers": {"file": {}},
            "slots": {"writers.file": 1},
        }
    )


def test_a_stop_waits_until_all_are_judged(plane: Plane, ring: str, tmp_path: Path) -> None:
    producer = Producer(ring, SHAPE, "uint16", SLOTS)
    path = tmp_path / "scan.h5"
    try:
        assert plane.open(reading(ring)) == ""
        producer.wait_for_consumer()
        start(plane, path, number_of_parts=2)
        for i in range(30):
            producer.put(i, pixels(i).tobytes())
        plane.report(lambda r: r.source.ledger.frames == 30)
        plane.close()
    finally:
        producer.vanish()
    done = plane.of(control.AcquisitionNotice)[-1]
    assert (done.state, done.report.ledger.sent, done.report.ledger.dropped) == ("FINISHED", 30, {})
    with h5py.File(path) as file:
        for i in range(30):
            np.testing.assert_array_equal(file["/detector/data"][i], pixels(i))


def test_a_part_that_stands_still_while_the_producer_laps(plane: Plane, ring: str, tmp_path: Path) -> None:
    """Only the few that had been named to it are lost; what waits behind them is copied in time."""
    producer = Producer(ring, SHAPE, "uint16", SLOTS)
    path = tmp_path / "scan.h5"
    try:
        assert plane.open(reading(ring)) == ""
        producer.wait_for_consumer()
        start(plane, path, number_of_parts=2)
        for i in range(10):
            producer.put(i, pixels(i).tobytes())
        plane.writer(1, lambda writer: writer.ledger.sent == 10)
        victim = part_processes(os.getpid())[-1]
        os.kill(victim, signal.SIGSTOP)
        for i in range(10, 310):
            producer.put(i, pixels(i).tobytes())
            if i % 10 == 9:
                plane.report(lambda r, i=i: r.source.ledger.last_frame_id == i)  # type: ignore[misc]
        os.kill(victim, signal.SIGCONT)
        end(plane)
        done = plane.acquisition("FINISHED")
    finally:
        producer.vanish()
    ledger = done.report.ledger
    lost = ledger.dropped["overwritten"]
    assert 1 <= lost <= SLOTS // RING_PIECES
    assert ledger.sent == 310 - lost
    with h5py.File(path) as file:
        status = file["/detector/metadata"]["status"]
        ids = file["/detector/metadata"]["image_id"].tolist()
        assert ids == list(range(310))
        assert int(np.count_nonzero(status)) == lost
        for i in range(310):
            assert (file["/detector/data"][i] == (0 if status[i] else i + 1)).all()
            assert not (status[i] and i % 2 == 0)
    found = verify(path)
    assert found.blank == lost
    assert found.damaged == []
    assert any("overwritten" in problem for problem in found.problems)
