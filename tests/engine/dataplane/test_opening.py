"""What is answered is in force: a gate is open before its file is there, and nothing overtakes an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, plan, send
from tests.engine.dataplane.conftest import Opener

from repstream.dataplane import control
from repstream.dataplane.storing.frame_store import FrameStore
from repstream.dataplane.writing.file_job import FileJob, Store
from repstream.errors import StorageError

Address = Callable[[str], str]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Storage that makes no file before this is set."""
    make, held = FileJob._new_store, threading.Event()

    def wait_and_make(job: FileJob) -> Store:
        held.wait(60)
        return make(job)

    monkeypatch.setattr(FileJob, "_new_store", wait_and_make)
    return held


def states(plane: Plane) -> list[str]:
    return [notice.state.value for notice in plane.of(control.AcquisitionNotice)]


@pytest.mark.parametrize("wanted", [3, 5])
def test_frames_that_come_before_the_file_is_made_are_in_it(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, *, held: threading.Event, wanted: int
) -> None:
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    path = tmp_path / "scan.h5"
    assert plane.ask(control.Arm, slot=1, plan=plan(path, wanted), frames=0) == ""
    send(source, range(5))
    report = plane.writer(1, lambda writer: writer.ledger.offered == 5)
    assert (report.ledger.queued, sum(report.ledger.skipped.values())) == (wanted, 5 - wanted)
    assert states(plane) == []
    held.set()
    ended = plane.acquisition("FINISHED")
    assert ended.report.ledger.sent == wanted
    assert states(plane) == ["WAITING_IMAGES", "ACQUIRING_IMAGES", "FLUSHING_IMAGES", "FINISHED"]


def test_an_abort_before_the_file_is_made_discards_what_waits(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, held: threading.Event
) -> None:
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5", 9), frames=0) == ""
    send(source, range(4))
    plane.writer(1, lambda writer: writer.ledger.queued == 4)
    assert plane.ask(control.End, slot=1, discard=True) == ""
    held.set()
    assert plane.acquisition("FAILED").report.ledger.dropped == {"abort": 4}


def test_a_stop_gives_up_a_file_that_cannot_be_made(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, *, held: threading.Event
) -> None:
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5"), frames=0) == ""
    send(source, range(4))
    plane.writer(1, lambda writer: writer.ledger.queued == 4)
    assert plane.ask(control.Close, patience=0.0, disk_patience=0.5) == ""
    failed = plane.acquisition("FAILED")
    assert "the disk has not answered for" in failed.message
    assert failed.report.ledger.dropped == {"storage": 4}
    plane.next(control.Closed)
    held.set()
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "next.h5", 1), frames=0) == ""
    send(source, [4])
    assert plane.acquisition("FINISHED").report.ledger.sent == 1


def test_an_answer_comes_before_what_follows_from_it(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    """Kept frames fill the gate at once: that it has shut is heard after the start was taken."""
    assert plane.open(configuration(address("in"), writers={"file": {"keep_frames": 5}})) == ""
    send(peer(zmq.PUSH, bind=address("in")), range(5))
    plane.writer(1, lambda writer: writer.ledger.kept == 5)
    plane.notices.clear()
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5"), frames=2) == ""
    plane.next(control.GateNotice)
    seen = [type(n) for n in plane.notices if isinstance(n, control.Answer | control.GateNotice)]
    assert seen == [control.Answer, control.GateNotice]


def test_an_idle_data_plane_gives_signs_of_life(plane: Plane) -> None:
    plane.next(control.Beat)
    plane.next(control.Beat)


@pytest.mark.parametrize("fails", ["to be made", "to be written"])
@pytest.mark.parametrize("discard", [False, True])
def test_a_stop_hides_no_failure(
    plane: Plane,
    address: Address,
    peer: Opener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fails: str,
    discard: bool,
) -> None:
    """It comes when the storage has failed, before the file's thread has ended."""
    fail, failed, go_on = FileJob._fail, threading.Event(), threading.Event()

    def fail_slowly(job: FileJob, reason: str) -> None:
        fail(job, reason)
        failed.set()
        go_on.wait(60)

    def refuse(*_: object) -> NoReturn:
        raise StorageError("the disk is full")

    monkeypatch.setattr(FileJob, "_fail", fail_slowly)
    target = (FileJob, "_new_store") if fails == "to be made" else (FrameStore, "write")
    monkeypatch.setattr(*target, refuse)
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5", 5), frames=0) == ""
    send(source, range(3))
    assert failed.wait(30)
    plane.ask(control.End, slot=1, discard=discard)
    go_on.set()
    assert plane.acquisition("FAILED").message == "ERROR:the disk is full"
