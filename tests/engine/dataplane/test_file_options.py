"""Placement, checksums, writes to the disk, the user's own metadata: from the wire to the file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Plane, image, send
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import (
    Address,
    Socket,
    end,
    images_of,
    result_of,
    running,
    start,
)

from repstream.files.plan import MISSING
from repstream.files.verify import verify
from repstream.states import AcquisitionState


@pytest.fixture
def source(plane: Plane, address: Address, peer: Opener) -> Socket:
    return running(plane, address, peer)


def table_of(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["/detector/metadata"][:]


def finish(plane: Plane, written: int) -> None:
    plane.writer(1, lambda w: w.ledger.sent == written)
    end(plane)
    plane.acquisition("FINISHED")


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
def test_by_id_each_image_lies_where_its_id_says(
    plane: Plane, source: Socket, tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, placement="by_id", compression=compression, checksum="xxh3")
    ids = [100, 101, 104, 103, 110, 108, 108]
    send(source, ids, image_attributes={"gain": 1.5})
    finish(plane, 6)
    data, table = images_of(path), table_of(path)
    assert list(table["image_id"]) == list(range(100, 111))
    there = [number for number in range(11) if 100 + number in ids]
    assert list(np.flatnonzero(table["status"] == 0)) == there
    for number in range(11):
        expected = image(100 + number) if number in there else np.zeros((4, 5))
        np.testing.assert_array_equal(data[number], expected)
    assert np.isnan(table["gain"][2])
    assert (result_of(path, "missing_ids"), result_of(path, "missing")) == ("102,105-107,109", 5)
    found = verify(path)
    assert (found.blank, found.missing_count, found.checked, found.damaged) == (5, 5, "xxh3", [])
    assert len(found.problems) == 1


def test_by_id_an_image_beyond_the_last_place_completes_the_acquisition(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 5, placement="by_id")
    send(source, [0, 1, 4, 3, 5])
    done = plane.acquisition("FINISHED")
    assert (done.result, done.report.ledger.sent, done.report.ledger.skipped) == ("completed", 4, {"gate": 1})
    assert list(table_of(path)["status"]) == [0, 0, MISSING, 0, 0]


def test_by_id_all_images_complete_the_acquisition_in_any_order(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 5, placement="by_id")
    send(source, [7, 11, 9, 8, 10])
    assert plane.acquisition("FINISHED").result == "completed"
    np.testing.assert_array_equal(images_of(path), np.stack([image(7 + n) for n in range(5)]))
    assert verify(path).complete


def test_by_id_a_numbering_that_begins_anew_goes_on_behind(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, placement="by_id")
    send(source, [5000, 5002, 0, 1, 10**12, 10**12 + 2, 10**12 - 1])
    plane.writer(1, lambda w: w.ledger.offered == 7)
    finish(plane, 6)
    assert list(table_of(path)["image_id"]) == [5000, 5001, 5002, 0, 1, 10**12, 10**12 + 1, 10**12 + 2]
    assert json.loads(result_of(path, "dropped_by_reason")) == {"late": 1}
    assert (result_of(path, "resets"), result_of(path, "series")) == (1, 2)


def test_in_order_of_arrival_the_file_lists_what_is_missing(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path)
    send(source, [3, 4, 8, 6, 20])
    finish(plane, 5)
    assert list(table_of(path)["image_id"]) == [3, 4, 8, 6, 20]
    assert result_of(path, "missing_ids") == "5,7,9-19"
    assert verify(path).missing == [(5, 5), (7, 7), (9, 19)]


@pytest.mark.parametrize("kind", ["xxh3", "crc32c"])
def test_a_checksum_goes_with_each_image(plane: Plane, source: Socket, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 20, checksum=kind)
    send(source, range(20), image_attributes={"checksum": 5, "gain": 2})
    plane.acquisition("FINISHED")
    found = verify(path)
    assert (found.complete, found.checked) == (True, kind)
    assert set(table_of(path).dtype.names or ()) == {"image_id", "status", "gain", "arrival_time", "checksum"}


def test_with_a_sync_interval_images_show_when_they_are_on_the_disk(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, sync_interval=3600.0)
    send(source, range(10))
    plane.writer(1, lambda w: w.ledger.queued == 10 and w.file_size > 10 * image(0).nbytes)
    assert len(images_of(path)) == 0
    end(plane)
    done = plane.acquisition("FINISHED")
    assert (done.report.ledger.sent, done.report.ledger.queued, len(images_of(path))) == (10, 0, 10)


def test_a_sync_interval_that_passes_shows_images_without_more_of_them(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, sync_interval=0.05)
    send(source, range(10))
    report = plane.writer(1, lambda w: w.ledger.sent == 10)
    assert report.state is AcquisitionState.ACQUIRING_IMAGES
    assert len(images_of(path)) == 10
    finish(plane, 10)


def test_the_users_metadata_is_in_the_file_from_the_start(
    plane: Plane, source: zmq.Socket[bytes], tmp_path: Path
) -> None:
    path, text = tmp_path / "scan.h5", '{"sample": {"name": "Probe ä", "deep": {"x": 1.5}}, "energy": 12400}'
    start(plane, path, user_metadata=text)
    for images in (0, 3):
        send(source, range(images))
        plane.writer(1, lambda w, images=images: w.ledger.sent == images)  # type: ignore[misc]
        with h5py.File(path) as file:
            group = file["/entry/user_metadata"]
            assert group["json"].asstr()[()] == text
            assert group["sample/name"].asstr()[()] == "Probe ä"
            assert (group["sample/deep/x"][()], group["energy"][()]) == (1.5, 12400)
    finish(plane, 3)


@pytest.mark.parametrize("placement", ["arrival", "by_id"])
def test_images_go_to_files_of_so_many(plane: Plane, source: Socket, tmp_path: Path, placement: str) -> None:
    path = tmp_path / "scan.h5"
    start(plane, path, 2500, images_per_file=1024, placement=placement, checksum="crc32c")
    send(source, range(2500))
    done = plane.acquisition("FINISHED")
    assert (done.result, done.report.ledger.sent, done.path) == ("completed", 2500, str(path))
    found = verify(path)
    assert (found.complete, found.images, found.checked, len(found.files)) == (True, 2500, "crc32c", 4)
    assert done.report.file_size == sum(part.stat().st_size for part in tmp_path.glob("scan_part*"))


def test_arrival_times_and_settings_of_the_experiment_reach_the_file(
    plane: Plane, source: Socket, tmp_path: Path
) -> None:
    path, begun = tmp_path / "scan.h5", time.time()
    start(plane, path, 20, experiment={"title": "first light", "detector_distance": 0.2}, axis="time")
    send(source, range(20))
    plane.acquisition("FINISHED")
    with h5py.File(path) as read:
        arrived = read["/entry/data/time"][:]
        assert begun - 1 < arrived.min() <= arrived.max() < time.time() + 1
        assert np.array_equal(arrived, table_of(path)["arrival_time"])
        assert list(read["/entry/data/image_id"]) == list(range(20))
        assert list(read["/entry/data"].attrs["axes"]) == ["time", ".", "."]
        assert read["/entry/title"][()] == b"first light"
        assert read["/entry/instrument/detector/distance"][()] == 0.2
