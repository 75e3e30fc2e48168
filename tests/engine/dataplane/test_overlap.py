"""The next acquisition begins while the last one is still flushed; neither knows of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, image, plan, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import images_of, result_of, running, sums
from tests.engine.dataplane.test_following import follow, series
from tests.engine.dataplane.test_process import process
from tests.storage import Storage

from repstream.dataplane import control
from repstream.states import AcquisitionResult

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]
FIRST, SECOND, THIRD = "first.h5", "second.h5", "third.h5"


@pytest.fixture
def plane(storage: Storage) -> Iterator[Plane]:
    """A data plane in a process of its own, on storage that can stall for one file alone."""
    with process(**storage.environment) as (_, plane):
        yield plane
        storage.does("")


@pytest.fixture
def source(plane: Plane, address: Address, peer: Opener) -> Socket:
    return running(plane, address, peer)


def begin(plane: Plane, path: Path, num_images: int) -> str:
    """Begin an acquisition that is known by the name of its file; the reason if that is refused."""
    wanted = plan(path, num_images, acquisition_id=path.name)
    reason = plane.ask(control.Arm, slot=1, plan=wanted, frames=0)
    if not reason:
        state_of(plane, path.name, "WAITING_IMAGES")
    return reason


def state_of(plane: Plane, acquisition: str, state: str) -> control.AcquisitionNotice:
    """The notice that an acquisition has got into this state, which may have come already."""

    def wanted(notice: control.AcquisitionNotice) -> bool:
        return (notice.acquisition_id, notice.state) == (acquisition, state)

    came = [notice for notice in plane.of(control.AcquisitionNotice) if wanted(notice)]
    return came[0] if came else plane.next(control.AcquisitionNotice, wanted)


def behind(plane: Plane) -> control.WriterReport | None:
    return plane.report().behind.get(1)


def check(path: Path, ids: range) -> None:
    np.testing.assert_array_equal(images_of(path), np.stack([image(i) for i in ids]))


def flushing(plane: Plane, storage: Storage, source: Socket, folder: Path, frames: int = 5) -> None:
    """Bring the first acquisition so far that only its flushing is left, which stalls."""
    assert begin(plane, folder / FIRST, frames) == ""
    storage.does(f"stall {FIRST}")
    send(source, range(frames))
    state_of(plane, FIRST, "FLUSHING_IMAGES")


def test_each_has_its_own_counts_state_and_file(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path
) -> None:
    flushing(plane, storage, source, tmp_path)
    assert begin(plane, tmp_path / SECOND, 3) == ""
    send(source, [5])
    report = plane.report(lambda r: r.writers[1].ledger.sent == 1)
    old, new = report.behind[1], report.writers[1]
    assert (old.acquisition_id, old.state, old.ledger.queued) == (FIRST, "FLUSHING_IMAGES", 5)
    assert (new.acquisition_id, new.state, new.ledger.offered) == (SECOND, "ACQUIRING_IMAGES", 1)
    send(source, [6, 7])
    done = state_of(plane, SECOND, "FINISHED")
    assert (done.result, done.report.ledger.sent) == (AcquisitionResult.COMPLETED, 3)
    check(tmp_path / SECOND, range(5, 8))
    assert behind(plane) is not None
    storage.does("")
    done = state_of(plane, FIRST, "FINISHED")
    assert (done.result, done.path) == (AcquisitionResult.COMPLETED, str(tmp_path / FIRST))
    assert (done.report.ledger.sent, sums(done.report.ledger)) == (5, 5)
    check(tmp_path / FIRST, range(5))
    assert behind(plane) is None
    assert plane.report().losses == 0


def test_no_third_one_begins_and_none_before_the_first_takes_no_more_frames(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path
) -> None:
    assert begin(plane, tmp_path / FIRST, 5) == ""
    assert begin(plane, tmp_path / SECOND, 3) == f"acquisition {FIRST} is under way"
    storage.does(f"stall {FIRST}")
    send(source, range(5))
    state_of(plane, FIRST, "FLUSHING_IMAGES")
    assert begin(plane, tmp_path / SECOND, 3) == ""
    assert begin(plane, tmp_path / THIRD, 3) == f"acquisition {SECOND} is under way"
    send(source, range(3))
    state_of(plane, SECOND, "FINISHED")
    assert begin(plane, tmp_path / THIRD, 3) == f"acquisition {FIRST} is still being written"
    storage.does("")
    state_of(plane, FIRST, "FINISHED")
    assert begin(plane, tmp_path / THIRD, 3) == ""
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == [FIRST, SECOND, THIRD]


def test_a_fault_of_the_last_one_is_its_own(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path
) -> None:
    flushing(plane, storage, source, tmp_path)
    assert begin(plane, tmp_path / SECOND, 4) == ""
    send(source, range(2))
    plane.writer(1, lambda w: w.ledger.sent == 2)
    storage.does(f"EIO {FIRST}")
    failed = state_of(plane, FIRST, "FAILED")
    assert "Input/output error" in failed.message
    assert failed.report.ledger.dropped == {"storage": 5}
    send(source, range(2, 4))
    assert state_of(plane, SECOND, "FINISHED").report.ledger.sent == 4
    check(tmp_path / SECOND, range(4))
    assert plane.report().losses == 5


@pytest.mark.parametrize("aborted", [FIRST, SECOND])
def test_an_end_is_for_the_one_that_it_names(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path, aborted: str
) -> None:
    flushing(plane, storage, source, tmp_path)
    assert begin(plane, tmp_path / SECOND, 4) == ""
    send(source, [5])
    plane.writer(1, lambda w: w.ledger.sent == 1)
    assert plane.ask(control.End, slot=1, discard=True, acquisition_id="another") == ""
    assert plane.ask(control.End, slot=1, discard=True, acquisition_id=aborted) == ""
    storage.does("")
    if aborted == SECOND:
        assert state_of(plane, SECOND, "FAILED").result is AcquisitionResult.ABORTED
        assert state_of(plane, FIRST, "FINISHED").report.ledger.sent == 5
        check(tmp_path / FIRST, range(5))
    else:
        assert state_of(plane, FIRST, "FAILED").result is AcquisitionResult.ABORTED
        send(source, range(6, 9))
        assert state_of(plane, SECOND, "FINISHED").report.ledger.sent == 4
        check(tmp_path / SECOND, range(5, 9))


def test_kept_frames_begin_the_next_file_and_count_there_alone(
    plane: Plane, storage: Storage, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_frames=3)
    flushing(plane, storage, source, tmp_path)
    send(source, range(5, 10))
    plane.writer(1, lambda w: w.ledger.kept == 3)
    assert begin(plane, tmp_path / SECOND, 4) == ""
    send(source, [10])
    assert state_of(plane, SECOND, "FINISHED").report.ledger.sent == 4
    check(tmp_path / SECOND, range(7, 11))
    storage.does("")
    ledger = state_of(plane, FIRST, "FINISHED").report.ledger
    assert (ledger.sent, ledger.kept, ledger.skipped, sums(ledger)) == (5, 0, {"gate": 2}, 7)
    assert result_of(tmp_path / FIRST, "received") == 7


def test_the_next_series_does_not_wait_for_a_slow_file(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path
) -> None:
    follow(plane, tmp_path / FIRST)
    plane.acquisition("WAITING_IMAGES")
    storage.does(f"stall {FIRST}")
    for parts in series(1, 3):
        source.send_multipart(parts)
    assert plane.next(control.AcquisitionNotice, lambda n: n.follow).state == "FLUSHING_IMAGES"
    follow(plane, tmp_path / SECOND)
    for parts in series(2, 4):
        source.send_multipart(parts)
    done = state_of(plane, SECOND, "FINISHED")
    # A third may begin only when the first has been closed.
    assert (done.report.ledger.sent, done.follow) == (4, False)
    storage.does("")
    assert state_of(plane, FIRST, "FINISHED").follow
    np.testing.assert_array_equal(images_of(tmp_path / FIRST), [image(100 + i) for i in range(3)])
    np.testing.assert_array_equal(images_of(tmp_path / SECOND), [image(200 + i) for i in range(4)])


def test_a_stop_writes_what_waits_for_both(
    plane: Plane, storage: Storage, source: Socket, tmp_path: Path
) -> None:
    flushing(plane, storage, source, tmp_path)
    assert begin(plane, tmp_path / SECOND, 10) == ""
    send(source, range(4))
    plane.writer(1, lambda w: w.ledger.sent == 4)
    assert plane.ask(control.Close, patience=5.0) == ""
    state_of(plane, SECOND, "FINISHED")
    storage.does("")
    state_of(plane, FIRST, "FINISHED")
    assert plane.next(control.Closed).report.losses == 0
    check(tmp_path / FIRST, range(5))
    check(tmp_path / SECOND, range(4))
