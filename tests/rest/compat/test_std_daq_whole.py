"""The standard DAQ's view of a whole engine: real images, a real data plane, and its death."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import httpx
import pytest
import simplejpeg
from std_daq_client import StdDaqClient
from std_daq_client.client import StdDaqAdminException

from repstream.files.verify import verify
from repstream.link.history import History
from repstream_http import HttpServer
from repstream_http.compat.std_daq import app
from tests.integration.rig import SHAPE, Rig, assert_holds, running_rig, until
from tests.part_files import write, write_meta
from tests.rest.compat.std_daq import CONFIG

OTHER_USER = 12345


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory() as name:  # other users cannot reach pytest's own folders
        folder = Path(name).resolve()
        folder.chmod(0o755)
        with running_rig(folder, user_ids=(OTHER_USER,)) as rig:
            yield rig


@pytest.fixture(scope="module")
def url(rig: Rig) -> Iterator[str]:
    with (
        closing(History(rig.service)) as history,
        HttpServer(app.create_app(rig.service, history), port=0) as server,
    ):
        yield server.url


@pytest.fixture
def daq(url: str) -> StdDaqClient:
    return StdDaqClient(url)


def test_images_are_what_was_sent(rig: Rig, daq: StdDaqClient) -> None:
    path = rig.folder / "run.h5"
    daq.start_writer_async({"n_images": 20, "output_file": str(path), "run_id": 3})
    rig.detector.send(range(20))
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    assert daq.get_status()["acquisition"]["message"] == "Completed."
    assert_holds(path, range(20))
    assert rig.client("epics").read("writers.1.acq_run_id") == "3"


def test_one_writer_leaves_the_layout_of_the_standard_daq(rig: Rig, daq: StdDaqClient) -> None:
    """As h5py reads it: a group named after the detector, a row an image, whose status 1 is good_image."""
    path = rig.folder / "layout.h5"
    daq.start_writer_async({"n_images": 6, "output_file": str(path)})
    rig.detector.send(range(6))
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    with h5py.File(path, "r") as file:
        group = file["detector"]
        images, rows = group["data"], group["metadata"]
        assert (images.shape, images.maxshape, images.chunks) == ((6, *SHAPE), (None, *SHAPE), (1, *SHAPE))
        assert rows.dtype.names[:2] == ("image_id", "status")
        assert [rows.dtype[name].str for name in ("image_id", "status")] == ["<u8", "<u8"]
        assert rows["image_id"].tolist() == list(range(6))
        assert rows["status"].tolist() == [1] * 6
    assert verify(path).complete


def test_several_writers_make_the_files_of_the_standard_daq(rig: Rig, daq: StdDaqClient, url: str) -> None:
    shape = {"image_pixel_height": 120, "image_pixel_width": 201, "detector_name": "detector"}
    daq.set_config({**CONFIG, **shape, "number_of_writers": 2})
    try:
        path = rig.folder / "shared.h5"
        daq.start_writer_async({"n_images": 5, "output_file": str(path), "run_id": "shared"})
        rig.detector.send(range(5))
        until(lambda: daq.get_status()["state"] == "READY", "the end")
        assert daq.get_status()["acquisition"]["message"] == "Completed."
        assert_holds(path, range(5))
        for number in range(2):
            with h5py.File(rig.folder / f"shared{number}.h5") as file:
                assert file["detector/metadata"]["image_id"].tolist() == list(range(number, 5, 2))
                assert file["detector/data"].shape == (len(range(number, 5, 2)), *SHAPE)
        with h5py.File(rig.folder / "sharedMeta.h5") as file:
            assert file["detector/metadata"]["status"].tolist() == [1] * 5
        assert httpx.get(f"{url}/file/shared").json()["file_metadata"]["n_images"] == 5
    finally:
        daq.set_config({"number_of_writers": 1})


def test_files_are_looked_at_by_acquisition(rig: Rig, daq: StdDaqClient, url: str) -> None:
    path = rig.folder / "looked.h5"
    daq.start_writer_async({"n_images": 3, "output_file": str(path), "run_id": "scan 12"})
    rig.detector.send(range(3))
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    expected = {
        "filename": str(path),
        "file_size": path.stat().st_size,
        "dataset_name": "/entry/data/data",
        "n_images": 3,
        "image_pixel_height": 120,
        "image_pixel_width": 201,
        "dtype": "uint16",
    }
    for name in (rig.value("writers.1.acquisition_id"), "scan%2012"):
        answer = httpx.get(f"{url}/file/{name}").json()
        assert (answer["status"], answer["file_metadata"]) == ("ok", expected)
        jpeg = httpx.get(f"{url}/file/{name}/2")
        assert jpeg.headers["content-type"] == "image/jpeg"
        assert simplejpeg.decode_jpeg(jpeg.content).shape == (120, 201, 3)
    for wrong in ("nonsense", "scan%2012/3", "scan%2012/x", "scan%2012/-1"):
        refused = httpx.get(f"{url}/file/{wrong}")
        assert (refused.status_code, refused.json()["status"]) == (200, "error")


def test_files_of_writers_are_shown_as_one(rig: Rig, url: str) -> None:
    write(rig.folder / "parts", [2, 1])
    write_meta(rig.folder / "parts", [100, 101, 102])
    request = {"base_path": str(rig.folder / "parts"), "output_file": "all.h5"}
    made = httpx.post(f"{url}/api/h5/create_interleaved_vds", json=request).json()
    output = str(rig.folder / "parts" / "all.h5")
    assert (made["status"], made["n_images"], made["output_file"]) == ("ok", 3, output)
    rows = httpx.get(f"{url}/api/h5/read_metadata", params={"filename": output}).json()
    assert [row["image_id"] for row in rows["metadata"]] == [100, 101, 102]
    assert [row["exposure_time"] for row in rows["metadata"]] == [200, 202, 204]
    found = httpx.get(f"{url}/api/h5/get_metadata_status", params={"filename": output}).json()
    shapes = {item["name"]: item["shape"] for item in found["datasets"]}
    assert [3, 4, 6] in shapes.values()
    for refused in (
        httpx.post(f"{url}/api/h5/create_interleaved_vds", json=request),
        httpx.post(f"{url}/api/h5/create_interleaved_vds", json={**request, "output_file": "../../x.h5"}),
        httpx.post(f"{url}/api/h5/create_interleaved_vds", json={**request, "base_path": "/etc"}),
        httpx.post(f"{url}/api/h5/create_interleaved_vds", json={**request, "file_prefix": "../file"}),
        httpx.get(f"{url}/api/h5/read_metadata", params={"filename": "/etc/passwd"}),
        httpx.get(f"{url}/api/h5/get_metadata_status"),
    ):
        assert (refused.status_code, refused.json()["status"]) == (200, "error")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act for others")
def test_files_are_made_for_the_permitted_user_where_that_one_may_write(rig: Rig, daq: StdDaqClient) -> None:
    shape = {"image_pixel_height": 120, "image_pixel_width": 201, "detector_name": "detector"}
    document = daq.set_config({**CONFIG, **shape, "writer_user_id": OTHER_USER})
    assert document["writer_user_id"] == OTHER_USER
    with pytest.raises(StdDaqAdminException, match="no files are made for user 12346"):
        daq.set_config({"writer_user_id": 12346})
    assert daq.get_config() == document
    try:
        with pytest.raises(StdDaqAdminException, match="cannot be written by the file's owner"):
            daq.start_writer_sync({"n_images": 3, "output_file": str(rig.folder / "not_theirs.h5")})
        theirs = rig.folder / "theirs"
        theirs.mkdir()
        os.chown(theirs, OTHER_USER, OTHER_USER)
        daq.start_writer_async({"n_images": 3, "output_file": str(theirs / "run.h5")})
        rig.detector.send(range(3))
        until(lambda: daq.get_status()["state"] == "READY", "the end")
        assert_holds(theirs / "run.h5", range(3))
        assert {path.stat().st_uid for path in theirs.iterdir()} == {OTHER_USER}
    finally:
        daq.set_config({"writer_user_id": -1})


def test_statistics_are_those_of_the_images(rig: Rig, daq: StdDaqClient) -> None:
    path = rig.folder / "rates.h5"
    daq.start_writer_async({"n_images": 100_000, "output_file": str(path)})
    stop = threading.Event()
    sender = threading.Thread(target=_send_until, args=(rig, stop))
    sender.start()
    try:
        until(lambda: all(part["images_per_second"] > 0 for part in daq.get_stats().values()), "rates")
        stats = daq.get_stats()
        for part in stats.values():
            assert part["bytes_per_second"] >= 120 * 201 * 2 * part["images_per_second"] * 0.5
    finally:
        stop.set()
        sender.join()
    assert daq.stop_writer()["acquisition"]["message"] == "Interrupted."
    until(lambda: all(part["images_per_second"] == 0 for part in daq.get_stats().values()), "rest")


def _send_until(rig: Rig, stop: threading.Event) -> None:
    first = 1000
    while not stop.wait(0.02):
        rig.detector.send(range(first, first + 2))
        first += 2


def test_a_writer_that_dies_is_unknown_until_it_is_stopped(rig: Rig, daq: StdDaqClient) -> None:
    """Kept last: it ends the data plane that the tests share."""
    path = rig.folder / "dies.h5"
    failures: list[str] = []

    def write(request: dict[str, Any]) -> None:
        try:
            daq.start_writer_sync(request)
        except StdDaqAdminException as error:
            failures.append(str(error))

    waiting = threading.Thread(target=write, args=({"n_images": 10, "output_file": str(path)},))
    waiting.start()
    until(lambda: daq.get_status()["state"] == "WRITING", "the start")
    rig.detector.send(range(5000, 5004))
    until(lambda: daq.get_status()["acquisition"]["stats"]["n_write_completed"] == 4, "four images")
    os.kill(int(str(rig.value("engine.process_id"))), signal.SIGKILL)
    waiting.join(20)
    status = daq.get_status()
    assert status["state"] == "UNKNOWN"
    assert status["acquisition"]["state"] == "FAILED"
    assert failures == [status["acquisition"]["message"]]
    assert "SIGKILL" in failures[0]
    with pytest.raises(StdDaqAdminException, match="UNKNOWN, not READY"):
        daq.start_writer_async({"n_images": 1, "output_file": str(rig.folder / "refused.h5")})
    assert daq.stop_writer()["state"] == "READY"
    assert_holds(path, range(5000, 5004))
    daq.start_writer_async({"n_images": 2, "output_file": str(rig.folder / "again.h5")})
    rig.detector.send(range(6000, 6002))
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    assert_holds(rig.folder / "again.h5", range(6000, 6002))
    names = [Path(log["info"]["output_file"]).name for log in daq.get_logs(9)]
    assert names[:2] == ["again.h5", "dies.h5"]
