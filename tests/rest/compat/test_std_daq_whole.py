"""The standard DAQ's view of a whole engine: real images, a real data plane, and its death."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from std_daq_client import StdDaqClient
from std_daq_client.client import StdDaqAdminException

from repstream.link.history import History
from repstream_http import HttpServer
from repstream_http.compat.std_daq import app
from tests.integration.rig import Rig, assert_holds, running_rig, until


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("daq")) as rig:
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


def test_statistics_are_those_of_the_images(rig: Rig, daq: StdDaqClient) -> None:
    path = rig.folder / "rates.h5"
    daq.start_writer_async({"n_images": 2**31 - 1, "output_file": str(path)})
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
