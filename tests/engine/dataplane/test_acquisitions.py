"""Acquisitions from arm to the closed file, with the file's content as witness."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, frame_ids, image, message, plan, receive, send
from tests.engine.dataplane.conftest import Opener

from repstream.accounting import OutputSnapshot
from repstream.dataplane import control
from repstream.dataplane.writing.file_job import FileJob
from repstream.files.frame_file import FrameFile
from repstream.states import AcquisitionResult, AcquisitionState

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]

RESULTS = "/entry/acquisition"


@pytest.fixture
def source(plane: Plane, address: Address, peer: Opener) -> Socket:
    """A running repeater with one writer, and the detector that feeds it."""
    return running(plane, address, peer)


def running(plane: Plane, address: Address, peer: Opener, **writer: Any) -> Socket:
    assert plane.open(configuration(address("in"), writers={"file": writer})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    plane.report(lambda r: r.source.connected)
    return source


def arm(plane: Plane, path: Path, num_images: int = 0, **fields: Any) -> control.AcquisitionNotice:
    assert plane.ask(control.Arm, slot=1, plan=plan(path, num_images, **fields)) == ""
    return plane.acquisition("WAITING_IMAGES")


def start(plane: Plane, path: Path, num_images: int = 0, frames: int = 0, **fields: Any) -> None:
    arm(plane, path, num_images, **fields)
    assert plane.ask(control.OpenGate, slot=1, frames=frames) == ""


def end(plane: Plane, discard: bool = False) -> None:
    assert plane.ask(control.End, slot=1, discard=discard) == ""


def images_of(path: Path) -> np.ndarray[Any, Any]:
    with h5py.File(path) as file:
        images: np.ndarray[Any, Any] = file["/entry/data/data"][:]
    return images


def result_of(path: Path, name: str) -> Any:
    with h5py.File(path) as file:
        value = file[f"{RESULTS}/{name}"][()]
    return value.decode() if isinstance(value, bytes) else value


def sums(ledger: OutputSnapshot) -> int:
    return ledger.sent + ledger.queued + sum(ledger.skipped.values()) + sum(ledger.dropped.values())


def test_a_file_holds_exactly_what_was_sent(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 50)
    send(source, range(50), image_attributes={"time_stamp": 5, "gain": 1.5, "good": True})
    done = plane.acquisition("FINISHED")
    assert (done.result, done.message, done.path) == ("completed", "Completed.", str(path))
    assert done.report.ledger.sent == 50
    assert done.report.file_size == path.stat().st_size
    np.testing.assert_array_equal(images_of(path), np.stack([image(i) for i in range(50)]))
    with h5py.File(path) as file:
        rows = file["/detector/metadata"][:]
    assert list(rows["image_id"]) == list(range(50))
    assert set(rows["time_stamp"]) == {5}
    assert set(rows["gain"]) == {1.5}
    assert set(rows["good"]) == {1}
    assert result_of(path, "outcome") == "completed"
    assert result_of(path, "written") == 50


def test_the_states_come_in_order(plane: Plane, source: Socket, tmp_path: Path) -> None:
    start(plane, tmp_path / "scan.h5", 3)
    send(source, range(3))
    plane.acquisition("FINISHED")
    states = [notice.state for notice in plane.of(control.AcquisitionNotice)]
    assert states == ["WAITING_IMAGES", "ACQUIRING_IMAGES", "FLUSHING_IMAGES", "FINISHED"]


def test_the_gate_shuts_after_its_frames_with_the_file_open(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    arm(plane, path, 5)
    send(source, range(3))
    plane.writer(1, lambda w: w.ledger.skipped == {"gate": 3})
    assert plane.ask(control.OpenGate, slot=1, frames=2) == ""
    send(source, range(3, 10))
    opening = plane.next(control.GateNotice).opening
    assert opening is not None
    assert (opening.number, opening.images, opening.first_id, opening.last_id) == (1, 2, 3, 4)
    assert opening.begin <= (opening.end or 0)
    plane.writer(1, lambda w: w.ledger.sent == 2 and w.ledger.skipped == {"gate": 8})
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    send(source, range(4))  # a detector that numbers each burst from 0
    done = plane.acquisition("FINISHED")
    assert done.result is AcquisitionResult.COMPLETED
    opening = done.report.opening
    assert opening is not None
    assert (opening.number, opening.images, opening.first_id, opening.last_id) == (2, 3, 0, 2)
    with h5py.File(path) as file:
        assert list(file["/detector/metadata"]["image_id"]) == [3, 4, 0, 1, 2]
    assert result_of(path, "missing") == 0


def test_a_gate_shut_on_request_leaves_the_file_open(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 5)
    send(source, range(2))
    plane.writer(1, lambda w: w.ledger.sent == 2)
    assert plane.ask(control.ShutGate, slot=1) == ""
    opening = plane.next(control.GateNotice).opening
    assert opening is not None and (opening.images, opening.first_id, opening.last_id) == (2, 0, 1)
    send(source, range(2, 6))
    plane.writer(1, lambda w: w.ledger.skipped == {"gate": 4})
    assert plane.ask(control.ShutGate, slot=1) == "", "shut already"
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    send(source, range(6, 9))
    assert plane.acquisition("FINISHED").result is AcquisitionResult.COMPLETED
    with h5py.File(path) as file:
        assert list(file["/detector/metadata"]["image_id"]) == [0, 1, 6, 7, 8]


def test_a_gate_opened_before_the_file_is_there_opens_with_it(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    control.requests.send(plane.pipe, control.Arm(request=0, slot=1, plan=plan(tmp_path / "scan.h5", 2)))
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    plane.writer(1, lambda w: w.gate_open)
    send(source, range(2))
    assert plane.acquisition("FINISHED").report.ledger.sent == 2


def test_frames_without_an_acquisition_are_counted(plane: Plane, source: Socket, tmp_path: Path) -> None:
    send(source, range(4))
    plane.writer(1, lambda w: w.ledger.skipped == {"idle": 4})
    start(plane, tmp_path / "scan.h5", 2)
    send(source, range(4, 9))
    last = plane.writer(1, lambda w: w.ledger.offered == 5 and w.state is AcquisitionState.FINISHED)
    assert last.ledger.sent == 2
    assert sum(last.ledger.skipped.values()) == 3


def test_duplicates_and_unfit_frames_stay_out_of_the_file(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path)
    send(source, [0, 1, 1, 4])
    send(source, [5], shape=(5, 4))
    send(source, [6], shape=(20,))
    header, data = message(7)
    source.send_multipart([header, data, data])
    source.send_multipart([b"garbage"])
    send(source, [8])
    plane.report(lambda r: r.source.ledger.messages == 9)
    end(plane)
    done = plane.acquisition("FINISHED")
    assert (done.result, done.message) == ("interrupted", "Interrupted.")
    ledger = done.report.ledger
    assert (ledger.sent, ledger.skipped, ledger.dropped) == (4, {"duplicate": 1}, {"shape": 2, "parts": 1})
    assert sums(ledger) == ledger.offered == 8
    assert done.report.missing == 2
    np.testing.assert_array_equal(images_of(path), np.stack([image(i) for i in (0, 1, 4, 8)]))
    for name, count in {"missing": 2, "dropped": 3, "duplicates": 1, "malformed": 1}.items():
        assert result_of(path, name) == count
    assert plane.report().losses == 2 + 3 + 1


def test_a_configured_shape_keeps_others_out(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    base = configuration(address("in"), writers={"file": {}})
    shaped = base.source.changed({"image_height": 4, "image_width": 5, "image_type": "uint16"})
    plane.open(base.model_copy(update={"source": shaped}))
    source = peer(zmq.PUSH, bind=address("in"))
    start(plane, tmp_path / "scan.h5", 1)
    send(source, [0], shape=(5, 5))
    send(source, [1])
    assert plane.acquisition("FINISHED").report.ledger.dropped == {"shape": 1}


def test_a_policy_thins_out_the_file(plane: Plane, address: Address, peer: Opener, tmp_path: Path) -> None:
    source = running(plane, address, peer, policy="send_every_nth", every_nth=10)
    start(plane, tmp_path / "scan.h5", 3)
    send(source, range(40))
    done = plane.acquisition("FINISHED")
    assert done.report.missing == 0
    np.testing.assert_array_equal(images_of(tmp_path / "scan.h5"), np.stack([image(i) for i in (0, 10, 20)]))


@pytest.mark.parametrize("shape", [(64, 64), (600, 500)], ids=["copied", "shared"])
def test_compressed_images_read_back_equal(
    plane: Plane, source: Socket, tmp_path: Path, shape: tuple[int, int]
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 5, compression="bitshuffle_lz4")
    send(source, range(5), shape=shape)
    plane.acquisition("FINISHED")
    np.testing.assert_array_equal(images_of(path), np.stack([image(i, shape) for i in range(5)]))
    with h5py.File(path) as file:
        assert "32008" in file["/entry/data/data"]._filters


def test_a_stop_without_frames_leaves_a_readable_file(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    arm(plane, path, 10)
    end(plane)
    assert plane.acquisition("FINISHED").message == "Interrupted."
    assert result_of(path, "outcome") == "interrupted"


@pytest.mark.parametrize("discard", [False, True])
@pytest.mark.parametrize("layout", [{}, {"number_of_parts": 2}, {"images_per_file": 2000}])
def test_a_file_without_images_is_removed_where_it_is_not_wanted(
    plane: Plane, source: Socket, tmp_path: Path, layout: dict[str, int], discard: bool
) -> None:
    other = tmp_path / "scan_part0002.h5"
    other.touch()
    arm(plane, tmp_path / "scan.h5", 10, keep_empty_file=False, **layout)
    end(plane, discard)
    done = plane.acquisition("FAILED" if discard else "FINISHED")
    assert done.message.endswith("; no image came, so the file was removed.")
    assert list(tmp_path.iterdir()) == [other]


def test_a_file_with_images_stays_where_empty_ones_are_removed(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    start(plane, tmp_path / "scan.h5", 1, keep_empty_file=False)
    send(source, [7])
    assert plane.acquisition("FINISHED").message == "Completed."
    assert len(images_of(tmp_path / "scan.h5")) == 1


def test_an_abort_discards_what_waits_and_says_how_much(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer)
    path = tmp_path / "scan.h5"
    start(plane, path)
    send(source, range(30), shape=(1200, 2016))
    plane.writer(1, lambda w: w.ledger.offered > 0)
    end(plane, discard=True)
    done = plane.acquisition("FAILED")
    discarded = done.report.ledger.dropped.get("abort", 0)
    assert done.result is AcquisitionResult.ABORTED
    assert done.message == f"ERROR:aborted, {discarded} frames discarded"
    assert len(images_of(path)) == done.report.ledger.sent
    assert sums(done.report.ledger) == done.report.ledger.offered
    assert plane.report(lambda r: r.source.ledger.frames == 30).losses == 0


def test_a_stopped_repeater_ends_its_acquisitions(plane: Plane, source: Socket, tmp_path: Path) -> None:
    start(plane, tmp_path / "scan.h5")
    send(source, range(20))
    plane.report(lambda r: r.source.ledger.frames == 20)
    closed = plane.close()
    assert closed.report.writers[1].ledger.sent == 20
    assert plane.of(control.AcquisitionNotice)[-1].result is AcquisitionResult.INTERRUPTED
    assert len(images_of(tmp_path / "scan.h5")) == 20


def test_acquisitions_follow_one_another(plane: Plane, source: Socket, tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"scan{number}.h5"
        start(plane, path, 10, acquisition_id=f"1-{number}")
        send(source, range(10))
        done = plane.acquisition("FINISHED")
        assert (done.acquisition_id, done.report.ledger.sent) == (f"1-{number}", 10)
        np.testing.assert_array_equal(images_of(path), np.stack([image(i) for i in range(10)]))


def test_two_writers_take_the_same_frames(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    writers = {"all": {}, "tenth": {"policy": "send_every_nth", "every_nth": 10}}
    plane.open(configuration(address("in"), writers=writers))
    source = peer(zmq.PUSH, bind=address("in"))
    for slot, count in ((1, 40), (2, 4)):
        assert plane.ask(control.Arm, slot=slot, plan=plan(tmp_path / f"{slot}.h5", count)) == ""
        plane.acquisition("WAITING_IMAGES")
        plane.ask(control.OpenGate, slot=slot, frames=0)
    send(source, range(40))
    for _ in range(2):
        plane.acquisition("FINISHED")
    assert (len(images_of(tmp_path / "1.h5")), len(images_of(tmp_path / "2.h5"))) == (40, 4)


def test_commands_that_do_not_fit_are_refused(plane: Plane, source: Socket, tmp_path: Path) -> None:
    assert plane.ask(control.OpenGate, slot=1, frames=0) == "no acquisition is armed"
    assert plane.ask(control.End, slot=1, discard=False) == ""
    assert plane.ask(control.Flush, slot=1) == ""
    start(plane, tmp_path / "scan.h5")
    again = plan(tmp_path / "other.h5", acquisition_id="2")
    assert plane.ask(control.Arm, slot=1, plan=again) == "acquisition 1700000000000-1 is under way"
    assert "open already" in plane.ask(control.OpenGate, slot=1, frames=0)
    assert plane.ask(control.Arm, slot=2, plan=again) == "there is no enabled writer in slot 2"


def test_a_flush_does_not_disturb(plane: Plane, source: Socket, tmp_path: Path) -> None:
    start(plane, tmp_path / "scan.h5", 4)
    assert plane.ask(control.Flush, slot=1) == ""
    send(source, range(2))
    plane.writer(1, lambda w: w.ledger.sent == 2)
    assert plane.ask(control.Flush, slot=1) == ""
    send(source, range(2, 4))
    assert plane.acquisition("FINISHED").result is AcquisitionResult.COMPLETED


def test_a_file_that_exists_fails_the_acquisition_untouched(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    path.write_text("mine")
    assert plane.ask(control.Arm, slot=1, plan=plan(path)) == ""
    failed = plane.acquisition("FAILED")
    assert failed.result is AcquisitionResult.FAILED
    assert failed.message.startswith(f"ERROR:{path} exists")
    assert path.read_text() == "mine"
    path.unlink()
    start(plane, path, 1)  # the writer is ready again
    send(source, [0])
    assert plane.acquisition("FINISHED").report.ledger.sent == 1


def test_a_missing_folder_fails_the_acquisition(plane: Plane, source: Socket, tmp_path: Path) -> None:
    plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "no" / "scan.h5"))
    assert "No such file or directory" in plane.acquisition("FAILED").message


def test_a_folder_that_vanishes_fails_the_writer_alone(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    streams = {"live": {"address": address("live")}}
    plane.open(configuration(address("in"), streams=streams, writers={"file": {}}))
    source = peer(zmq.PUSH, bind=address("in"))
    sink = peer(zmq.PULL, connect=address("live"))
    folder = tmp_path / "run"
    folder.mkdir()
    arm(plane, folder / "scan.h5")
    (folder / "scan.h5").unlink()
    folder.rmdir()
    send(source, range(20))
    failed = plane.acquisition("FAILED")
    assert failed.message.startswith("ERROR:")
    assert frame_ids(receive(sink, 20)) == list(range(20))
    ledger = plane.report(lambda r: r.source.ledger.frames == 20).writers[1].ledger
    assert sums(ledger) == ledger.offered == 20


def test_a_full_disk_fails_the_writer_and_keeps_what_was_written(
    plane: Plane, address: Address, peer: Opener, small_disk: Path
) -> None:
    streams = {"live": {"address": address("live")}}
    plane.open(configuration(address("in"), streams=streams, writers={"file": {"buffer_size": 4}}))
    source = peer(zmq.PUSH, bind=address("in"), hwm=1)
    sink = peer(zmq.PULL, connect=address("live"))
    start(plane, small_disk / "scan.h5", 40)
    shape = (500, 1000)  # 1 MB
    for frame_id in range(40):
        send(source, [frame_id], shape=shape)
        assert frame_ids(receive(sink, 1)) == [frame_id]
    failed = plane.acquisition("FAILED")
    assert "No space left on device" in failed.message
    written = images_of(small_disk / "scan.h5")
    assert 0 < len(written) == failed.report.ledger.sent < 40
    np.testing.assert_array_equal(written, np.stack([image(i, shape) for i in range(len(written))]))


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 16 MB; making one takes a privilege."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=16m tmpfs {folder} 2>/dev/null"):
        if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
            pytest.fail("no permission to mount a tmpfs")
        pytest.skip("no permission to mount a tmpfs")
    yield folder
    os.system(f"umount -l {folder}")


def test_a_slow_file_blocks_the_source_and_loses_nothing(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, buffer_size=1)
    start(plane, tmp_path / "scan.h5", 200)
    send(source, range(200), shape=(300, 500))
    done = plane.acquisition("FINISHED")
    assert (done.report.ledger.sent, done.report.ledger.dropped) == (200, {})


def test_a_file_that_may_drop_still_gets_its_number_of_images(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, buffer_size=1, on_slow="drop_oldest")
    start(plane, tmp_path / "scan.h5", 100)
    ids = itertools.count()
    # How many of a burst the file gets is up to the scheduler, so the detector goes on until it has all.
    while not (done := [n for n in plane.of(control.AcquisitionNotice) if n.state == "FINISHED"]):
        send(source, itertools.islice(ids, 1000))
        plane.report()
    ledger = done[0].report.ledger
    assert ledger.sent == 100 == len(images_of(tmp_path / "scan.h5"))
    assert sums(ledger) == ledger.offered


def test_a_closed_file_leaves_nothing_for_the_garbage_collector(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    """It comes seldom here, since it would look at all frames that wait."""
    source = running(plane, address, peer)
    gc.collect()
    gc.disable()
    try:
        for number in range(3):
            start(plane, tmp_path / f"{number}.h5", 10)
            send(source, range(10))
            plane.acquisition("FINISHED")
        while [thing for thing in gc.get_objects() if isinstance(thing, FileJob | FrameFile)]:
            plane.report()  # until the test's time limit: the thread may not quite have ended
    finally:
        gc.enable()
