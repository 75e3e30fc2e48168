"""Acquisitions that follow the series of a detector: none loses its first images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, image, message, plan, writer_alone
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import images_of, result_of, running
from tests.engine.dataplane.test_input_formats import SERIES, dimage
from tests.engine.messages.vectors import load

from repstream.dataplane import control
from repstream.dataplane.writing.following import PATIENCE, Following
from repstream.messages import dectris_v1
from repstream.messages.series import SeriesStart
from repstream.parameters.writer import WriterConfig
from repstream.states import AcquisitionResult

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]


@pytest.fixture
def source(plane: Plane, address: Address, peer: Opener) -> Socket:
    return running(plane, address, peer)


def follow(plane: Plane, path: Path, frames: int | None = None, **fields: object) -> None:
    wanted = plan(path, acquisition_id=path.name, follow_series=True, **fields)
    assert plane.ask(control.Arm, slot=1, plan=wanted, frames=frames) == ""


def series(number: int, frames: int) -> list[list[bytes]]:
    """A whole series whose images tell its number and theirs."""
    images = [dimage(i, image(100 * number + i)) for i in range(frames)]
    return [dectris_v1.encode_start(number), *images, dectris_v1.encode_end(number)]


def expected(number: int, frames: int) -> list[np.ndarray]:
    return [image(100 * number + i) for i in range(frames)]


@pytest.mark.parametrize("family", SERIES)
def test_a_recorded_series_is_a_file_of_its_own(
    plane: Plane, source: Socket, tmp_path: Path, family: str
) -> None:
    follow(plane, tmp_path / "a.h5")
    plane.acquisition("WAITING_IMAGES")
    vector = SERIES[family]
    source.send_multipart(message(17))  # before the series: not for the file
    for parts in vector.messages.values():
        source.send_multipart(parts)
    # The next one may begin as soon as this one takes no more frames.
    assert plane.acquisition("FLUSHING_IMAGES").follow
    done = plane.acquisition("FINISHED")
    assert (done.result, done.follow, done.report.ledger.sent) == (AcquisitionResult.COMPLETED, False, 3)
    assert done.report.ledger.skipped == {"gate": 1}
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["/entry/data/data"][:], list(vector.arrays.values()))
        told = json.loads(file["/entry/instrument/detector/configuration"].asstr()[()])
        assert told["beam_center_x"] == 25.5 == file["/entry/instrument/detector/beam_center_x"][()]
        assert file["/entry/instrument/detector/count_time"].attrs["units"] == "s"
        assert file["/entry/acquisition/series_id"][()] == {"dectris_v1": 7, "dectris_v2": 12}[family]


def test_series_in_a_row_lose_nothing_while_the_next_file_is_asked_for(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    follow(plane, tmp_path / "1.h5", frames=0)
    for number in range(1, 6):
        for parts in series(number, 20):
            source.send_multipart(parts)
    for number in range(1, 6):
        assert plane.acquisition("FINISHED").result is AcquisitionResult.COMPLETED
        held = plane.report()
        assert held.writers[1].blocking == (number < 5)
        follow(plane, tmp_path / f"{number + 1}.h5")
    for number in range(1, 6):
        np.testing.assert_array_equal(images_of(tmp_path / f"{number}.h5"), expected(number, 20))
    report = plane.report()
    assert (report.source.ledger.frames, report.losses) == (100, 0)


def test_a_series_that_comes_before_the_file_is_made_waits_for_it(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    assert plane.open(configuration(address("in"), writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    for number in range(1, 20):
        path = tmp_path / f"{number}.h5"
        follow(plane, path)
        for parts in series(number, 2):
            source.send_multipart(parts)
        plane.acquisition("FINISHED")
        np.testing.assert_array_equal(images_of(path), expected(number, 2))


def test_the_next_series_goes_on_without_a_file_when_none_is_wanted(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    follow(plane, tmp_path / "1.h5")
    for number in (1, 2):
        for parts in series(number, 3):
            source.send_multipart(parts)
    assert plane.acquisition("FLUSHING_IMAGES").follow
    plane.acquisition("FINISHED")
    plane.writer(1, lambda w: w.blocking)
    assert plane.ask(control.End, slot=1, discard=False) == ""
    report = plane.report(lambda r: r.source.ledger.frames == 6)
    assert report.writers[1].ledger.skipped == {"idle": 3}


def test_a_series_that_begins_before_the_last_ended_interrupts_it(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    follow(plane, tmp_path / "1.h5")
    for parts in [*series(1, 3)[:-1], *series(2, 4)]:
        source.send_multipart(parts)
    done = plane.acquisition("FINISHED")
    assert (done.result, done.message) == (
        AcquisitionResult.INTERRUPTED,
        "Interrupted: series 2 began before series 1 ended.",
    )
    follow(plane, tmp_path / "2.h5")
    assert plane.acquisition("FINISHED").result is AcquisitionResult.COMPLETED
    assert (len(images_of(tmp_path / "1.h5")), len(images_of(tmp_path / "2.h5"))) == (3, 4)


def test_a_number_of_images_ends_the_acquisition_within_its_series(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    follow(plane, tmp_path / "1.h5", num_images=2)
    for parts in series(1, 5):
        source.send_multipart(parts)
    assert plane.acquisition("FINISHED").report.ledger.sent == 2
    follow(plane, tmp_path / "2.h5", num_images=2)
    for parts in series(2, 5):
        source.send_multipart(parts)
    assert plane.acquisition("FINISHED").report.ledger.sent == 2
    np.testing.assert_array_equal(images_of(tmp_path / "2.h5"), expected(2, 2))


def test_a_stop_ends_the_following(plane: Plane, source: Socket, tmp_path: Path) -> None:
    follow(plane, tmp_path / "1.h5")
    source.send_multipart(series(1, 1)[0])
    plane.next(control.GateNotice, lambda notice: notice.is_open)
    plane.ask(control.End, slot=1, discard=False)
    done = plane.acquisition("FINISHED")
    assert (done.result, done.follow) == (AcquisitionResult.INTERRUPTED, False)
    for parts in series(2, 3):
        source.send_multipart(parts)
    assert plane.report(lambda r: r.source.ledger.frames == 3).writers[1].ledger.skipped == {"idle": 3}


def test_a_file_that_cannot_be_made_ends_the_following(plane: Plane, source: Socket, tmp_path: Path) -> None:
    (tmp_path / "1.h5").write_text("mine")
    follow(plane, tmp_path / "1.h5")
    for parts in series(1, 3):
        source.send_multipart(parts)
    failed = plane.acquisition("FAILED")
    assert not failed.follow
    assert plane.report(lambda r: r.source.ledger.frames == 3).losses == 0


def test_tables_of_a_start_are_in_any_file_that_its_images_begin(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    vector = load("dectris_v2")["start_all_two_thresholds"]
    plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "a.h5", 2, threshold="threshold_2"), frames=0)
    plane.acquisition("WAITING_IMAGES")
    source.send_multipart(vector.first)
    for i in range(2):
        source.send_multipart(message(i, (40, 51)))
    plane.acquisition("FINISHED")
    names = {name.split(".")[-1]: name for name in vector.arrays}
    with h5py.File(tmp_path / "a.h5") as file:
        detector = file["/entry/instrument/detector"]
        assert sorted(detector["threshold_1_channel"]) == ["flatfield", "pixel_mask"]
        assert detector["pixel_mask"] == detector["threshold_2_channel/pixel_mask"]
        assert detector["countrate_correction_lookup_table"].shape == (100,)
        found = {array.tobytes() for array in vector.arrays.values()}
        for path in (
            "flatfield",
            "pixel_mask",
            "threshold_1_channel/flatfield",
            "threshold_1_channel/pixel_mask",
        ):
            assert detector[path][:].tobytes() in found, names
    assert result_of(tmp_path / "a.h5", "series_unique_id")


def test_a_series_waits_for_a_while_only() -> None:
    following = Following()
    following.arm(True)
    following.begin(SeriesStart(1, "", {}, {}, None, ()), now=10.0)
    assert not following.gives_up(10.0 + PATIENCE / 2, busy=False)
    assert not following.gives_up(100.0, busy=True)  # its file is being made, however long that takes
    assert not following.gives_up(100.0 + PATIENCE / 2, busy=False)
    assert following.gives_up(100.0 + PATIENCE, busy=False)
    assert (following.enabled, following.pending) == (False, None)


def test_the_log_names_the_writer_that_gives_a_series_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Following, "gives_up", lambda *_, **__: True)
    writer_alone(WriterConfig(), lambda _: None, lambda: None).watch(0.0, held=False)
    assert caplog.messages == ["writer file: no acquisition was begun for a series; it is not followed"]
