"""Acquisitions that several processes write, from the wire to the files, with these as witness."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import Pipe
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.engine.dataplane.bench import PATIENCE, Plane, image, plan, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import (
    Address,
    Socket,
    arm,
    end,
    images_of,
    result_of,
    running,
    start,
    sums,
)
from tests.engine.dataplane.test_input_formats import dimage, pulse
from tests.engine.dataplane.test_process import process
from tests.waiting import until

from repstream.dataplane import control
from repstream.dataplane.storing import part_messages as messages
from repstream.dataplane.storing.part import write_part
from repstream.errors import StorageError
from repstream.files.interleaved import meta_path, turn_paths
from repstream.files.verify import verify
from repstream.states import AcquisitionResult

SHAPE = (300, 500)


@pytest.fixture
def source(plane: Plane, address: Address, peer: Opener) -> Socket:
    return running(plane, address, peer)


def expected(ids: range, shape: tuple[int, int] = (4, 5)) -> np.ndarray:
    return np.array([image(number, shape) for number in ids], np.uint16).reshape(-1, *shape)


def rows_of(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        rows: np.ndarray = file["/detector/metadata"][:]
    return rows


def check_parts(path: Path, parts: int, count: int, shape: tuple[int, int] = (4, 5)) -> None:
    """Assert that the first `count` images lie in the parts in turn, and nothing else."""
    for number, part in enumerate(turn_paths(path, parts)):
        with h5py.File(part) as file:
            if count:
                ids = range(number, count, parts)
                np.testing.assert_array_equal(file["/detector/data"][:], expected(ids, shape))
                assert list(file["/detector/metadata"]["image_id"]) == list(ids)
            else:
                assert len(file["/detector/data"]) == 0


def part_processes(parent: int) -> list[int]:
    """The processes that write for a data plane, the oldest first."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return sorted(found)


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(process_ids: list[int]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, process_ids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_alive, process_ids))


@pytest.mark.parametrize(("parts", "count"), [(3, 50), (2, 50), (3, 2)])
def test_images_go_to_the_parts_in_turn(
    plane: Plane, source: Socket, tmp_path: Path, parts: int, count: int
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, count, number_of_parts=parts)
    send(source, range(count), image_attributes={"gain": 1.5})
    done = plane.acquisition("FINISHED")
    assert (done.result, done.report.ledger.sent, done.path) == ("completed", count, str(path))
    np.testing.assert_array_equal(images_of(path), expected(range(count)))
    check_parts(path, parts, count)
    assert done.report.file_size == sum(file.stat().st_size for file in tmp_path.iterdir())
    with h5py.File(path) as file:
        for other in ("/entry/data/data", "/entry/instrument/detector/data"):
            assert file[other] == file["/detector/data"]


def test_the_metadata_of_all_images_have_a_file(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, number_of_parts=3, checksum="crc32c")
    for number in range(2500):
        send(source, [number], image_attributes={"gain": number / 2})
    plane.report(lambda r: r.source.ledger.frames == 2500)
    end(plane)
    plane.acquisition("FINISHED")
    rows = rows_of(meta_path(path))
    assert list(rows["image_id"]) == list(range(2500))
    assert list(rows["gain"]) == [number / 2 for number in range(2500)]
    np.testing.assert_array_equal(rows_of(path), rows)
    for number, part in enumerate(turn_paths(path, 3)):
        np.testing.assert_array_equal(rows_of(part), rows[number::3])
    assert result_of(meta_path(path), "written") == 2500
    with pytest.raises(StorageError, match=r"verify scan\.h5"):
        verify(meta_path(path))


def test_master_and_parts_prove_themselves(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 50, number_of_parts=3, checksum="xxh3")
    send(source, range(50))
    plane.acquisition("FINISHED")
    found = verify(path)
    assert (found.problems, found.images, found.checked, len(found.files)) == ([], 50, "xxh3", 4)
    for part in turn_paths(path, 3):
        assert verify(part).problems == []
    assert result_of(turn_paths(path, 3)[1], "written") == 17


def test_a_file_that_is_gone_is_named(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 6, number_of_parts=3)
    send(source, range(6))
    plane.acquisition("FINISHED")
    for file in (*turn_paths(path, 3), meta_path(path)):
        hidden = file.rename(tmp_path / "elsewhere")
        assert verify(path).problems == [f"{file} does not exist"]
        hidden.rename(file)
    assert verify(path).complete


def test_what_comes_with_images_of_other_formats_reaches_all_parts(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 7, number_of_parts=3)
    for number in range(7):
        source.send_multipart(pulse(100 + number, camera=image(number), **{"BEAM:X": number / 2}))
    plane.acquisition("FINISHED")
    np.testing.assert_array_equal(images_of(path), expected(range(7)))
    rows = rows_of(path)
    assert list(rows["image_id"]) == list(range(100, 107))
    assert list(rows["BEAM:X"]) == [number / 2 for number in range(7)]


def test_compressed_images_are_stored_as_they_came_beside_raw_ones(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 8, number_of_parts=3, compression="bitshuffle_lz4")
    for number in range(8):
        source.send_multipart(dimage(number, image(number), "bitshuffle_lz4" if number % 2 else ""))
    plane.acquisition("FINISHED")
    np.testing.assert_array_equal(images_of(path), expected(range(8)))
    assert verify(path).complete


def test_all_parts_compress(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 10, number_of_parts=3, compression="bitshuffle_lz4")
    send(source, range(10), shape=SHAPE)
    done = plane.acquisition("FINISHED")
    assert done.report.ledger.nbytes_sent < 10 * image(0, SHAPE).nbytes
    np.testing.assert_array_equal(images_of(path), expected(range(10), SHAPE))
    check_parts(path, 3, 10, SHAPE)
    assert verify(path).complete


def test_the_master_shows_what_is_reported_while_frames_come(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, number_of_parts=3)
    for first in range(0, 80, 8):
        send(source, range(first, first + 8))
        reported = plane.writer(1, lambda w, first=first: w.ledger.sent > first).ledger.sent  # type: ignore[misc]
        found = images_of(path)
        assert len(found) >= reported
        np.testing.assert_array_equal(found, expected(range(len(found))))
    end(plane)
    assert plane.acquisition("FINISHED").report.ledger.sent == 80
    np.testing.assert_array_equal(images_of(path), expected(range(80)))


def test_a_stop_writes_what_was_received(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 1000, number_of_parts=3)
    send(source, range(40), shape=SHAPE)
    plane.report(lambda r: r.source.ledger.frames == 40)
    end(plane)
    done = plane.acquisition("FINISHED")
    assert (done.result, done.report.ledger.sent) == ("interrupted", 40)
    check_parts(path, 3, 40, SHAPE)
    assert verify(path).complete


def test_a_stop_without_frames_leaves_readable_files(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    arm(plane, path, 10, number_of_parts=2)
    end(plane)
    assert plane.acquisition("FINISHED").message == "Interrupted."
    for file in (path, meta_path(path), *turn_paths(path, 2)):
        assert result_of(file, "outcome") == "interrupted"
    check_parts(path, 2, 0)


def test_an_abort_discards_what_waits(plane: Plane, source: Socket, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, number_of_parts=3)
    send(source, range(30), shape=(1200, 2016))
    plane.writer(1, lambda w: w.ledger.offered > 0)
    end(plane, discard=True)
    done = plane.acquisition("FAILED")
    ledger = done.report.ledger
    assert done.result is AcquisitionResult.ABORTED
    assert sums(ledger) == ledger.offered
    assert (ledger.queued, set(ledger.dropped) | {"abort"}) == (0, {"abort"})
    assert result_of(path, "written") == ledger.sent
    if ledger.sent:
        np.testing.assert_array_equal(images_of(path), expected(range(ledger.sent), (1200, 2016)))
    check_parts(path, 3, ledger.sent, (1200, 2016))


def test_images_that_wait_for_the_disk_show_when_they_are_on_it(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, number_of_parts=2, sync_interval=3600.0)
    send(source, range(10))
    plane.writer(1, lambda w: w.ledger.queued == 10 and w.file_size > 10 * image(0).nbytes)
    assert plane.ask(control.Flush, slot=1) == ""
    plane.writer(1, lambda w: w.ledger.sent == 10)
    np.testing.assert_array_equal(images_of(path), expected(range(10)))
    send(source, range(10, 15))
    plane.report(lambda r: r.source.ledger.frames == 15)
    end(plane)
    assert plane.acquisition("FINISHED").report.ledger.sent == 15
    assert verify(path).images == 15


@pytest.mark.parametrize("there", ["scan.h5", "scan_part1.h5", "scan_meta.h5"])
def test_a_file_that_exists_fails_the_acquisition_untouched(
    plane: Plane, source: Socket, tmp_path: Path, there: str
) -> None:
    (tmp_path / there).write_bytes(b"dear data")
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5", number_of_parts=2)) == ""
    assert f"{there} exists" in plane.acquisition("FAILED").message
    assert (tmp_path / there).read_bytes() == b"dear data"
    for other in tmp_path.iterdir():
        assert other.name == there or result_of(other, "outcome") == "failed"
    start(plane, tmp_path / "scan.h5", 5, number_of_parts=2, overwrite=True, acquisition_id="2")
    send(source, range(5))
    assert plane.acquisition("FINISHED").report.ledger.sent == 5
    assert verify(tmp_path / "scan.h5").complete


@pytest.mark.parametrize("victim", [0, 2])
def test_a_part_that_dies_fails_the_acquisition(
    address: Address, peer: Opener, tmp_path: Path, victim: int
) -> None:
    path = tmp_path / "scan.h5"
    with process() as (child, plane):
        source = running(plane, address, peer)
        start(plane, path, 1000, number_of_parts=3)
        send(source, range(40), shape=SHAPE)
        plane.writer(1, lambda w: w.ledger.sent == 40)
        parts = part_processes(child.pid)
        os.kill(parts[victim], signal.SIGKILL)
        failed = plane.acquisition("FAILED")  # with no further frame to find out
        name = turn_paths(path, 3)[victim]
        assert failed.message == f"ERROR:the process that writes {name} ended: killed by SIGKILL"
        ledger = failed.report.ledger
        assert (ledger.sent, sums(ledger)) == (40, ledger.offered)
        np.testing.assert_array_equal(images_of(path), expected(range(40), SHAPE))
        check_parts(path, 3, 40, SHAPE)
        assert result_of(path, "outcome") == "failed"
        assert gone(parts)
        start(plane, tmp_path / "next.h5", 5, number_of_parts=3, acquisition_id="2")
        send(source, range(5))
        assert plane.acquisition("FINISHED").report.ledger.sent == 5


def test_a_part_that_dies_while_frames_come_loses_none_that_was_reported(
    address: Address, peer: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    with process() as (child, plane):
        source = running(plane, address, peer)
        start(plane, path, 100_000, number_of_parts=3)
        send(source, range(300), shape=SHAPE)
        os.kill(part_processes(child.pid)[1], signal.SIGKILL)
        failed = plane.acquisition("FAILED")
        ledger = failed.report.ledger
        assert (ledger.queued, sums(ledger)) == (0, ledger.offered)
        if ledger.sent:
            np.testing.assert_array_equal(images_of(path), expected(range(ledger.sent), SHAPE))
        assert result_of(path, "written") == ledger.sent
        assert result_of(turn_paths(path, 3)[0], "outcome") == "failed"


def test_a_part_that_dies_before_its_file_is_there_leaves_word_of_what_waited(
    address: Address, peer: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    with process() as (child, plane):
        source = running(plane, address, peer)
        arm = plan(path, 1000, number_of_parts=3)
        assert plane.ask(control.Arm, slot=1, plan=arm, frames=0) == ""
        send(source, range(40), shape=SHAPE)
        until(lambda: part_processes(child.pid), "the parts")
        os.kill(part_processes(child.pid)[0], signal.SIGKILL)
        failed = plane.acquisition("FAILED")
        ledger = failed.report.ledger
        assert (ledger.queued, sums(ledger)) == (0, ledger.offered)
        assert result_of(path, "dropped") == sum(ledger.dropped.values())
        assert result_of(path, "written") == ledger.sent
        assert result_of(path, "message") == failed.message


def test_a_part_whose_file_is_removed_fails_the_acquisition(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 40, number_of_parts=2)
    send(source, range(10))
    plane.writer(1, lambda w: w.ledger.sent == 10)
    lost = turn_paths(path, 2)[1]
    lost.unlink()
    failed = plane.acquisition("FAILED")
    assert failed.message == f"ERROR:{lost} was removed, renamed or replaced while it was written"


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("alone", [True, False], ids=["data plane", "parts too"])
def test_a_killed_data_plane_leaves_what_was_reported(
    address: Address, peer: Opener, tmp_path: Path, compression: str, alone: bool
) -> None:
    path, folder = tmp_path / "scan.h5", tmp_path / "sockets"
    folder.mkdir()
    with process(TMPDIR=str(folder)) as (child, plane):
        source = running(plane, address, peer)
        start(plane, path, number_of_parts=3, compression=compression)
        send(source, range(200), shape=SHAPE)
        reported = plane.writer(1, lambda w: w.ledger.sent > 20).ledger.sent
        parts = part_processes(child.pid)
        for process_id in [child.pid] if alone else [*parts, child.pid]:
            os.kill(process_id, signal.SIGKILL)
        child.wait()
        assert gone(parts)
    assert not alone or list(folder.iterdir()) == []
    found = images_of(path)
    assert len(found) >= reported
    np.testing.assert_array_equal(found, expected(range(len(found)), SHAPE))
    assert list(rows_of(path)["image_id"]) == list(range(len(found)))
    assert verify(path).problems == ["not finished: its writer is still at it, or was killed"]
    for part in turn_paths(path, 3):
        assert verify(part).problems == ["not finished: its writer is still at it, or was killed"]


@pytest.mark.parametrize("how", ["pipe", "signal"])
def test_the_parts_end_with_the_service(address: Address, peer: Opener, tmp_path: Path, how: str) -> None:
    path = tmp_path / "scan.h5"
    with process() as (child, plane):
        source = running(plane, address, peer)
        start(plane, path, number_of_parts=2)
        send(source, range(20))
        plane.writer(1, lambda w: w.ledger.offered == 20)
        parts = part_processes(child.pid)
        if how == "signal":  # as systemd does: to all at once
            for process_id in (*parts, child.pid):
                os.kill(process_id, signal.SIGTERM)
        else:
            plane.pipe.close()
        assert child.wait(PATIENCE) == 0
        assert gone(parts)
    assert result_of(path, "outcome") == "interrupted"
    check_parts(path, 2, 20)


def test_a_part_whose_data_plane_is_gone_before_it_listens_says_so_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        address = f"ipc://{tmp_path / 'gone' / '1'}"
        messages.send(ours, messages.Start(plan(tmp_path / "scan.h5"), address))
        write_part(theirs)
        answer = messages.receive_answer(ours)
    assert isinstance(answer, messages.Failed) and str(tmp_path / "gone") in answer.reason
    assert not caplog.records
    assert not list(tmp_path.iterdir())
