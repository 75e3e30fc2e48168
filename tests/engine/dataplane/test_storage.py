"""Storage that stalls, fails or loses the file, under a data plane that writes and streams."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, frame_ids, image, plan, receive, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import images_of, result_of, running, start, sums
from tests.engine.dataplane.test_process import process
from tests.storage import Storage

from repstream.dataplane import control
from repstream.states import AcquisitionResult

Address = Callable[[str], str]
SHAPE = (300, 500)


@pytest.fixture
def plane(storage: Storage) -> Iterator[Plane]:
    """A data plane in a process of its own, on that storage."""
    with process(**storage.environment) as (_, plane):
        yield plane
        storage.does("")


Begin = Callable[..., tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]


@pytest.fixture
def begin(plane: Plane, address: Address, peer: Opener) -> Begin:
    """Begins an acquisition of 40 images beside a stream; gives the source and the stream's consumer."""
    return lambda path, **writer: acquire(plane, address, peer, path, **writer)


def acquire(
    plane: Plane, address: Address, peer: Opener, path: Path, **writer: object
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    streams = {"live": {"address": address("live")}}
    assert plane.open(configuration(address("in"), streams=streams, writers={"file": writer})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    plane.report(lambda r: r.source.connected and r.streams[1].clients == 1)
    start(plane, path, 40)
    return source, sink


def check_images(path: Path, ids: list[int]) -> None:
    np.testing.assert_array_equal(images_of(path), np.stack([image(i, SHAPE) for i in ids]))


def test_a_stall_within_the_memory_of_the_writer_costs_nothing(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, sink = begin(tmp_path / "scan.h5")
    storage.does("stall")
    send(source, range(40), shape=SHAPE)
    assert frame_ids(receive(sink, 40)) == list(range(40))
    stalled = plane.writer(1, lambda w: w.disk_wait > 1.0)
    assert (stalled.ledger.sent, stalled.ledger.queued, stalled.blocking) == (0, 40, False)
    assert stalled.state == "FLUSHING_IMAGES"  # the number is complete, all of it waits
    storage.does("")
    done = plane.acquisition("FINISHED").report
    assert (done.ledger.sent, done.ledger.dropped) == (40, {})
    check_images(tmp_path / "scan.h5", list(range(40)))
    assert plane.report().losses == 0


def test_beyond_its_memory_a_writer_that_blocks_holds_up_the_source_and_says_so(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, sink = begin(tmp_path / "scan.h5", buffer_size=5)
    storage.does("stall")
    send(source, range(40), shape=SHAPE)
    assert plane.writer(1, lambda w: w.blocking).queue_use == 100.0
    storage.does("")
    assert plane.acquisition("FINISHED").report.ledger.dropped == {}
    check_images(tmp_path / "scan.h5", list(range(40)))
    assert frame_ids(receive(sink, 40)) == list(range(40))


@pytest.mark.parametrize("rule", ["drop_oldest", "drop_newest"])
def test_beyond_its_memory_a_writer_that_drops_counts_that_in_the_file(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path, rule: str
) -> None:
    path = tmp_path / "scan.h5"
    source, sink = begin(path, buffer_size=5, on_slow=rule)
    storage.does("stall")
    send(source, range(30), shape=SHAPE)
    assert frame_ids(receive(sink, 30)) == list(range(30))
    lost = plane.report(lambda r: r.writers[1].ledger.offered == 30)
    dropped = lost.writers[1].ledger.dropped["queue"]
    assert lost.losses == dropped > 0
    assert plane.ask(control.End, slot=1, discard=False) == ""
    storage.does("")
    done = plane.acquisition("FINISHED").report.ledger
    assert (done.sent, done.dropped) == (30 - dropped, {"queue": dropped})
    assert len(images_of(path)) == 30 - dropped
    assert (result_of(path, "dropped"), result_of(path, "received")) == (dropped, 30)


def test_beyond_its_memory_a_writer_spills_and_catches_up_in_order(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, sink = begin(tmp_path / "scan.h5", buffer_size=4, spill_folder=str(tmp_path))
    storage.does("stall")
    send(source, range(35), shape=SHAPE)
    assert frame_ids(receive(sink, 35)) == list(range(35))
    stalled = plane.writer(1, lambda w: w.spilled > 20 and not w.blocking)
    assert (stalled.ledger.queued, stalled.ledger.dropped) == (35, {})
    storage.does("")
    send(source, range(35, 40), shape=SHAPE)
    done = plane.acquisition("FINISHED").report
    assert (done.ledger.sent, done.ledger.dropped, done.spilled) == (40, {}, 0)
    check_images(tmp_path / "scan.h5", list(range(40)))


def test_what_was_spilled_is_written_after_a_stop_and_discarded_by_an_abort(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, _ = begin(tmp_path / "scan.h5", buffer_size=4, spill_folder=str(tmp_path))
    for discard, name in ((False, "scan.h5"), (True, "next.h5")):
        if discard:
            start(plane, tmp_path / name, 40, acquisition_id="2")
        storage.does("stall")
        send(source, range(20), shape=SHAPE)
        plane.writer(1, lambda w: w.ledger.offered == 20 and w.spilled > 10)
        assert plane.ask(control.End, slot=1, discard=discard) == ""
        storage.does("")
        done = plane.acquisition("FAILED" if discard else "FINISHED").report.ledger
        assert (done.sent + done.dropped.get("abort", 0), done.queued) == (20, 0)
        assert (done.sent < 20) is discard
        if done.sent:  # an abort may come before the first batch
            check_images(tmp_path / name, list(range(done.sent)))


def test_a_spill_folder_that_cannot_be_used_is_refused(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    running(plane, address, peer, spill_folder=str(tmp_path / "no"))
    reason = plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5", 5))
    assert (
        reason
        == f"frames cannot be spilled to {tmp_path}/no: No such file or directory; set another spill_folder"
    )
    assert not (tmp_path / "scan.h5").exists()


@pytest.mark.parametrize(
    "fault", [("EIO", "Input/output error"), ("ENOSPC", "No space left on device")], ids=lambda f: f[0]
)
def test_a_fault_fails_the_acquisition_alone(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path, fault: tuple[str, str]
) -> None:
    word, says = fault
    source, sink = begin(tmp_path / "scan.h5")
    send(source, range(10), shape=SHAPE)
    written = plane.writer(1, lambda w: w.ledger.sent == 10).ledger.sent
    storage.does(word)
    send(source, range(10, 30), shape=SHAPE)
    assert frame_ids(receive(sink, 30)) == list(range(30))
    failed = plane.acquisition("FAILED")
    assert failed.result is AcquisitionResult.FAILED
    assert says in failed.message
    ledger = failed.report.ledger
    assert (ledger.sent, ledger.queued, sums(ledger)) == (written, 0, ledger.offered)
    check_images(tmp_path / "scan.h5", list(range(10)))
    storage.does("")
    start(plane, tmp_path / "next.h5", 5, acquisition_id="2")
    send(source, range(30, 35), shape=SHAPE)
    assert plane.acquisition("FINISHED").report.ledger.sent == 5
    check_images(tmp_path / "next.h5", list(range(30, 35)))


def test_a_fault_of_one_part_fails_the_acquisition_alone(
    plane: Plane, storage: Storage, address: Address, peer: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    source = running(plane, address, peer)
    start(plane, path, 40, number_of_parts=3)
    send(source, range(10), shape=SHAPE)
    plane.writer(1, lambda w: w.ledger.sent == 10)
    storage.does("ENOSPC")
    send(source, range(10, 30), shape=SHAPE)
    failed = plane.acquisition("FAILED")
    assert "No space left on device" in failed.message
    ledger = failed.report.ledger
    assert (ledger.sent, ledger.queued, sums(ledger)) == (10, 0, ledger.offered)
    check_images(path, list(range(10)))
    storage.does("")
    start(plane, tmp_path / "next.h5", 5, number_of_parts=2, acquisition_id="2")
    send(source, range(30, 35), shape=SHAPE)
    assert plane.acquisition("FINISHED").report.ledger.sent == 5
    check_images(tmp_path / "next.h5", list(range(30, 35)))


@pytest.mark.parametrize("spills", [False, True])
def test_a_stall_holds_up_all_parts_and_loses_nothing(
    plane: Plane, storage: Storage, address: Address, peer: Opener, tmp_path: Path, *, spills: bool
) -> None:
    path = tmp_path / "scan.h5"
    folder = str(tmp_path) if spills else ""
    source = running(plane, address, peer, buffer_size=5, spill_folder=folder)
    start(plane, path, 400, number_of_parts=2)
    send(source, range(2), shape=SHAPE)
    plane.writer(1, lambda w: w.ledger.sent == 2)
    storage.does("stall")
    send(source, range(2, 400), shape=SHAPE)
    plane.writer(1, lambda w: w.spilled > 20 if spills else w.blocking)
    storage.does("")
    assert plane.acquisition("FINISHED").report.ledger.sent == 400
    check_images(path, list(range(400)))


def test_writes_that_end_early_are_continued(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, _ = begin(tmp_path / "scan.h5")
    storage.does("short")
    send(source, range(40), shape=SHAPE)
    assert plane.acquisition("FINISHED").report.ledger.sent == 40
    check_images(tmp_path / "scan.h5", list(range(40)))


def test_an_abort_while_the_storage_stalls_ends_as_soon_as_it_answers(
    plane: Plane, storage: Storage, begin: Begin, tmp_path: Path
) -> None:
    source, _ = begin(tmp_path / "scan.h5")
    storage.does("stall")
    send(source, range(20), shape=SHAPE)
    plane.writer(1, lambda w: w.ledger.offered == 20)
    assert plane.ask(control.End, slot=1, discard=True) == ""
    storage.does("")
    done = plane.acquisition("FAILED")
    kept = done.report.ledger.sent
    assert done.message == f"ERROR:aborted, {20 - kept} frames discarded"
    assert len(images_of(tmp_path / "scan.h5")) == kept


REMOVED = "was removed, renamed or replaced while it was written"


def other_in_its_place(path: Path) -> None:
    path.unlink()
    path.write_text("mine")


@pytest.mark.parametrize(
    "removal",
    [Path.unlink, lambda path: shutil.rmtree(path.parent), other_in_its_place],
    ids=["file", "folder", "replaced"],
)
@pytest.mark.parametrize("began", [True, False], ids=["writing", "armed"])
def test_a_file_that_loses_its_name_fails_the_acquisition(
    address: Address, peer: Opener, tmp_path: Path, removal: Callable[[Path], None], began: bool
) -> None:
    with process() as (_, plane):
        source = running(plane, address, peer)
        (tmp_path / "run").mkdir()
        path = tmp_path / "run" / "scan.h5"
        start(plane, path, 40)
        if began:
            send(source, range(10))
            plane.writer(1, lambda w: w.ledger.sent == 10)
        removal(path)
        failed = plane.acquisition("FAILED")  # with no further frame to find out
        assert failed.message == f"ERROR:{path} {REMOVED}"
        assert not path.exists() or path.read_text() == "mine"
        path.parent.mkdir(exist_ok=True)
        start(plane, path.with_name("next.h5"), 5, acquisition_id="2")
        send(source, range(5))
        assert plane.acquisition("FINISHED").report.ledger.sent == 5
        assert plane.ask(control.Arm, slot=1, plan=plan(path.with_name("more.h5"), 5)) == ""
