"""The standard DAQ's REST interface, driven by the published client (std-daq-client)."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from std_daq_client import StdDaqClient
from std_daq_client.client import StdDaqAdminException

from repstream.link.history import History
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_http import HttpServer
from repstream_http.compat.std_daq import daq as daq_module
from repstream_http.compat.std_daq.app import create_app
from repstream_http.compat.std_daq.daq import Daq
from tests.fakes import FakePlane, running_service
from tests.integration.rig import until
from tests.rest.compat.std_daq import CONFIG

ME = Requester("test")


def value(service: Service, key: str) -> object:
    return service.read(key).value


def test_an_acquisition_in_the_background(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    assert daq.get_status() == {"state": "READY", "acquisition": None}
    request = {"n_images": 5, "output_file": str(tmp_path / "run.h5"), "run_id": 77}
    writing = daq.start_writer_async(request)
    assert writing["state"] == "WRITING"
    assert writing["acquisition"]["state"] == "WAITING_IMAGES"
    assert writing["acquisition"]["info"] == request
    assert value(running[0], "engine.state") == "RUNNING"
    running[1].receive(5)
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    ended = daq.get_status()["acquisition"]
    assert (ended["state"], ended["message"]) == ("FINISHED", "Completed.")
    assert ended["stats"]["n_write_completed"] == ended["stats"]["n_write_requested"] == 5
    assert ended["stats"]["stop_time"] >= ended["stats"]["start_time"]
    assert daq.get_logs(3) == [ended]


def test_an_acquisition_to_its_end(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    answers: list[dict[str, Any]] = []
    request = {"n_images": 3, "output_file": str(tmp_path / "run.h5")}
    thread = threading.Thread(target=lambda: answers.append(daq.start_writer_sync(request)))
    thread.start()
    until(lambda: value(running[0], "writers.1.gate") == "open", "the gate")
    running[1].receive(2)
    time.sleep(0.2)
    assert not answers
    running[1].receive(1)
    thread.join(20)
    assert answers[0]["acquisition"]["message"] == "Completed."
    assert time.time_ns() - int(answers[0]["acquisition"]["info"]["run_id"]) < 60e9


def test_a_sync_write_waits_on_where_the_original_gives_up(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original answers with an error after 60 s; here a minute is scaled down to a tenth of a second."""
    monkeypatch.setattr(daq_module, "PATIENCE", 0.1)
    monkeypatch.setattr(daq_module, "STOP_PATIENCE", 0.1)
    with ThreadPoolExecutor() as pool:
        request = {"n_images": 3, "output_file": str(tmp_path / "long.h5")}
        answer = pool.submit(daq.start_writer_sync, request)
        until(lambda: value(running[0], "writers.1.gate") == "open", "the gate")
        for _ in range(3):
            time.sleep(0.2)
            assert not answer.done()
            running[1].receive(1)
        written = answer.result(20)
    assert (written["state"], written["acquisition"]["message"]) == ("READY", "Completed.")


@pytest.mark.parametrize("late", [0.0, 1.0], ids=["while it is seen", "before it is looked at"])
def test_a_stop_ends_a_sync_write(
    daq: StdDaqClient,
    running: tuple[Service, FakePlane],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    late: float,
) -> None:
    look = Daq._wait_for_file
    monkeypatch.setattr(Daq, "_wait_for_file", lambda *given: (time.sleep(late), look(*given)))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(daq.start_writer_sync, {"n_images": 9, "output_file": str(tmp_path / "a.h5")})
        until(lambda: value(running[0], "writers.1.gate") == "open", "the gate")
        running[1].receive(2)
        stopped = daq.stop_writer()
        written = answer.result(20)
    assert stopped["acquisition"] == written["acquisition"]
    assert written["acquisition"]["message"] == "Interrupted."
    assert written["acquisition"]["stats"]["n_write_completed"] == 2


def test_of_two_requests_at_once_one_is_taken_whole(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    def attempt(n: int) -> dict[str, Any] | None:
        request = {"n_images": 100 + n, "output_file": str(tmp_path / f"{n}.h5"), "run_id": n}
        try:
            taken = daq.start_writer_async(request)["acquisition"]["info"]
        except StdDaqAdminException as error:
            assert "WRITING, not READY" in str(error)
            return None
        assert taken == request
        return request

    with ThreadPoolExecutor(8) as pool:
        taken = [request for request in pool.map(attempt, range(8)) if request]
    assert len(taken) == 1
    assert daq.get_status()["acquisition"]["info"] == taken[0]


def test_a_stop_in_the_middle(daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path) -> None:
    daq.start_writer_async({"n_images": 10, "output_file": str(tmp_path / "run.h5"), "run_id": "a"})
    running[1].receive(4)
    stopped = daq.stop_writer()
    assert stopped["state"] == "READY"
    assert (stopped["acquisition"]["state"], stopped["acquisition"]["message"]) == (
        "FINISHED",
        "Interrupted.",
    )
    assert stopped["acquisition"]["stats"]["n_write_completed"] == 4
    assert stopped["acquisition"]["info"]["run_id"] == "a"
    assert daq.stop_writer()["state"] == "READY"


def test_a_write_while_writing_is_refused_and_changes_nothing(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    daq.start_writer_async({"n_images": 10, "output_file": str(tmp_path / "a.h5")})
    with pytest.raises(StdDaqAdminException, match="the writer is WRITING, not READY"):
        daq.start_writer_async({"n_images": 3, "output_file": str(tmp_path / "b.h5")})
    assert daq.get_status()["acquisition"]["info"]["n_images"] == 10


def test_a_folder_that_does_not_exist_is_named_and_the_settings_stay(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    before = value(running[0], "writers.1.output_file"), value(running[0], "writers.1.num_images")
    with pytest.raises(StdDaqAdminException, match="gone"):
        daq.start_writer_sync({"n_images": 3, "output_file": str(tmp_path / "gone" / "b.h5")})
    assert daq.get_status()["state"] == "READY"
    assert before == (value(running[0], "writers.1.output_file"), value(running[0], "writers.1.num_images"))


def test_a_file_that_exists_is_not_overwritten(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    (tmp_path / "b.h5").write_bytes(b"dear")
    for start in (daq.start_writer_async, daq.start_writer_sync):
        with pytest.raises(StdDaqAdminException, match=r"b\.h5"):
            start({"n_images": 3, "output_file": str(tmp_path / "b.h5")})
    assert (tmp_path / "b.h5").read_bytes() == b"dear"
    assert daq.get_status() == {"state": "READY", "acquisition": None}


@pytest.mark.parametrize("run_id", [0, 7, -7, 2**70, "scan 7", "007", "-0", "20230526_113713.793"])
def test_a_run_id_is_given_back_as_it_was(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path, run_id: int | str
) -> None:
    request = {"n_images": 1, "output_file": str(tmp_path / "a.h5"), "run_id": run_id}
    assert daq.start_writer_async(request)["acquisition"]["info"]["run_id"] == run_id
    running[1].receive(1)
    until(lambda: daq.get_status()["state"] == "READY", "the end")
    assert daq.get_logs(1)[0]["info"] == request


def test_a_writer_that_fails_says_so(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    failures: list[str] = []

    def write() -> None:
        try:
            daq.start_writer_sync({"n_images": 3, "output_file": str(tmp_path / "a.h5")})
        except StdDaqAdminException as error:
            failures.append(str(error))

    thread = threading.Thread(target=write)
    thread.start()
    until(lambda: value(running[0], "writers.1.gate") == "open", "the gate")
    running[1].fail(1, "No space left on device")
    thread.join(20)
    assert failures == ["ERROR:No space left on device"]
    assert daq.get_status()["acquisition"]["state"] == "FAILED"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"n_images": 0, "output_file": "/data/a.h5"},
        {"n_images": 2**31, "output_file": "/data/a.h5"},
        {"n_images": "3", "output_file": "/data/a.h5"},
        {"n_images": 3.0, "output_file": "/data/a.h5"},
        {"n_images": True, "output_file": "/data/a.h5"},
        {"n_images": 3, "output_file": "data/a.h5"},
        {"n_images": 3, "output_file": "/data/a"},
        {"n_images": 3, "output_file": "/data/a\0.h5"},
        {"n_images": 3, "output_file": "/data/a.h5", "run_id": [1]},
        {"n_images": 3, "output_file": "/data/a.h5", "typo": 1},
        {"n_images": 3, "output_file": f"/data/{'x' * 10_000}.h5"},
        {"n_images": 3, "output_file": "/etc/../etc/a.h5"},
        [],
        None,
        "text",
    ],
)
@pytest.mark.parametrize("route", ["/writer/write_async", "/write_sync"])
def test_a_request_that_is_wrong_is_an_error_with_status_200(url: str, route: str, body: Any) -> None:
    answer = httpx.post(url + route, json=body)
    assert answer.status_code == 200
    assert answer.json()["status"] == "error"
    assert answer.json()["message"]
    assert StdDaqClient(url).get_status() == {"state": "READY", "acquisition": None}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/writer/write_async", "/writer/write_sync", "/daq/config", "/api/config/set"]),
    JSON | st.fixed_dictionaries({}, optional=dict.fromkeys((*CONFIG, "n_images", "output_file"), JSON)),
)
def test_whatever_is_sent_is_answered_in_the_convention(url: str, route: str, body: Any) -> None:
    answer = httpx.post(url + route, json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "error")


@pytest.mark.parametrize("garbage", [b"{", b"\xff", b"[" * 10_000])
def test_garbage_is_answered_in_the_convention(url: str, garbage: bytes) -> None:
    for route in ("/writer/write_sync", "/daq/config"):
        answer = httpx.post(url + route, content=garbage)
        assert (answer.status_code, answer.json()["status"]) == (200, "error")


@pytest.mark.parametrize("number", [2**31, 2**32 - 1, 0])
def test_a_number_of_images_that_cannot_be_is_refused_with_the_limit(
    daq: StdDaqClient, tmp_path: Path, number: int
) -> None:
    limit = f"2147483647 or less, not {number}" if number else "1 or more, not 0"
    with pytest.raises(StdDaqAdminException, match=f"n_images: must be {limit}"):
        daq.start_writer_async({"n_images": number, "output_file": str(tmp_path / "a.h5")})
    assert daq.get_status()["state"] == "READY"


def test_the_configuration_begins_with_none(daq: StdDaqClient) -> None:
    assert daq.get_config() is None
    assert daq.get_deployment_status()["message"] == "No config available"
    with pytest.raises(StdDaqAdminException, match="image_pixel_height"):
        daq.set_config({"bit_depth": 16})


def test_the_configuration_stands_for_parameters(
    daq: StdDaqClient, running: tuple[Service, FakePlane]
) -> None:
    assert daq.set_config(CONFIG) == CONFIG
    assert daq.get_config() == CONFIG
    service = running[0]
    assert value(service, "source.image_height") == 8
    assert value(service, "source.image_type") == "uint16"
    assert value(service, "writers.1.detector_name") == "EG9M"
    deployment = daq.get_deployment_status()
    assert (deployment["status"], deployment["message"]) == ("SUCCESS", "Deployment successful")
    assert deployment["stats"]["stop_time"] >= deployment["stats"]["start_time"]
    changed = daq.set_config({"bit_depth": 32, "module_positions": {"0": [0, 0, 7, 7]}})
    assert changed == {**CONFIG, "bit_depth": 32, "module_positions": {"0": [0, 0, 7, 7]}}
    assert daq.get_deployment_status()["config_id"] != deployment["config_id"]
    assert value(service, "writers.1.block_size") == 0
    daq.set_config({"gpfs_block_size": 2**24})
    assert value(service, "writers.1.block_size") == 2**24
    service.write({"source.image_width": 16, "writers.1.block_size": 4096}, ME)
    found = daq.get_config()
    assert (found["image_pixel_width"], found["gpfs_block_size"]) == (16, 4096)


def test_live_streams_are_set_up_by_the_configuration(
    daq: StdDaqClient, running: tuple[Service, FakePlane]
) -> None:
    live = {
        "tcp://*:9800": {"type": "forward", "config": []},
        "tcp://*:9801": {"type": "batch", "config": [2, 10]},
        "tcp://*:9802": {"type": "periodic", "config": [1, 4.5]},
    }
    daq.set_config({**CONFIG, "live_stream_configs": live})
    service = running[0]
    assert value(service, "streams.live1.policy") == "forward"
    assert (value(service, "streams.live2.burst"), value(service, "streams.live2.frame_block")) == (2, 10)
    assert value(service, "streams.live3.burst_rate") == 4.5
    assert value(service, "streams.preview.policy") is not None
    daq.set_config({"live_stream_configs": {"tcp://*:9801": {"type": "forward", "config": []}}})
    assert value(service, "streams.live2.policy") == "forward"
    configuration = json.loads(str(value(service, "engine.config")))
    assert "live1" not in configuration["streams"]
    with pytest.raises(StdDaqAdminException, match="burst and frame_block"):
        daq.set_config({"live_stream_configs": {"tcp://*:9801": {"type": "batch", "config": [1]}}})


def test_what_others_change_is_shown_and_stays_where_a_request_does_not_name_it(
    daq: StdDaqClient, running: tuple[Service, FakePlane]
) -> None:
    live = {
        "tcp://*:9800": {"type": "batch", "config": [2, 10]},
        "tcp://*:9801": {"type": "forward", "config": []},
    }
    daq.set_config({**CONFIG, "number_of_writers": 2, "live_stream_configs": live})
    service = running[0]
    service.write({"writers.1.number_of_parts": 3, "streams.live1.burst": 4}, ME)
    service.write({"streams.live2.policy": "strides"}, ME)
    found = daq.get_config()
    assert found["number_of_writers"] == 3
    assert found["live_stream_configs"] == {**live, "tcp://*:9800": {"type": "batch", "config": [4, 10]}}
    assert daq.set_config({"bit_depth": 32})["number_of_writers"] == 3
    assert value(service, "writers.1.number_of_parts") == 3
    assert value(service, "streams.live2.policy") == "strides"
    assert service.execute("engine.configure", json.dumps({"streams": {"live2": None}}), ME).wait(10).ok
    assert list(daq.get_config()["live_stream_configs"]) == ["tcp://*:9800"]


def test_a_whole_document_resets_what_it_does_not_name(
    url: str, daq: StdDaqClient, running: tuple[Service, FakePlane]
) -> None:
    daq.set_config(CONFIG)
    running[0].write({"writers.1.detector_name": "other"}, ME)
    assert daq.set_config({"n_modules": 1})["detector_name"] == "other"
    answer = httpx.post(f"{url}/api/config/set", json=CONFIG).json()
    assert answer["config"] == CONFIG
    assert value(running[0], "writers.1.detector_name") == "EG9M"


def test_answers_have_the_messages_of_the_original(
    url: str, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    def message(method: str, path: str, body: Any = None) -> str:
        answer = httpx.request(method, url + path, json=body, timeout=20)
        return str(answer.json()["message"])

    request = {"n_images": 2, "output_file": str(tmp_path / "a.h5")}
    assert message("GET", "/writer/status") == "Writer is READY"
    assert message("POST", "/writer/write_async", request) == "Writing started."
    assert message("GET", "/status") == "Writer is WRITING"
    message("POST", "/writer/stop", {})
    running[1].open_gate_gives(2)
    written = message("POST", "/writer/write_sync", {**request, "output_file": str(tmp_path / "b.h5")})
    assert written == "Writing finished."


def test_an_acquisition_without_a_file_is_not_logged(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    running[1].refuse = "No space left on device"
    with pytest.raises(StdDaqAdminException, match="No space left"):
        daq.start_writer_sync({"n_images": 1, "output_file": str(tmp_path / "a.h5")})
    assert daq.get_logs(5) == []


def test_a_running_repeater_goes_on_with_the_new_configuration(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    service = running[0]
    service.execute("engine.start", None, ME).wait(10)
    daq.set_config(CONFIG)
    assert value(service, "engine.state") == "RUNNING"
    assert value(service, "source.image_height") == 8
    daq.start_writer_async({"n_images": 10, "output_file": str(tmp_path / "a.h5")})
    with pytest.raises(StdDaqAdminException, match="WRITING"):
        daq.set_config({"bit_depth": 8})
    assert daq.get_config() == CONFIG


def test_statistics_have_the_keys_that_clients_read(daq: StdDaqClient) -> None:
    stats = daq.get_stats()
    assert set(stats) == {"detector", "writer"}
    for part in stats.values():
        assert part == {"bytes_per_second": 0.0, "images_per_second": 0.0}


def test_the_newest_log_comes_first(
    daq: StdDaqClient, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        daq.start_writer_async({"n_images": 1, "output_file": str(tmp_path / f"{name}.h5")})
        running[1].receive(1)
        until(lambda: daq.get_status()["state"] == "READY", "the end")
    assert [Path(log["info"]["output_file"]).stem for log in daq.get_logs(2)] == ["c", "b"]
    for wrong in ("x", "-1", "9" * 30):
        with pytest.raises(StdDaqAdminException, match="is no number"):
            daq.get_logs(wrong)


def test_logs_are_kept_across_restarts(tmp_path: Path) -> None:
    kept = tmp_path / "acquisitions.jsonl"

    def logs(write: str = "") -> list[dict[str, Any]]:
        with (
            running_service(tmp_path) as (service, plane),
            closing(History(service, kept)) as history,
            HttpServer(create_app(service, history), port=0) as server,
        ):
            daq = StdDaqClient(server.url)
            if write:
                plane.open_gate_gives(1)
                daq.start_writer_sync({"n_images": 1, "output_file": str(tmp_path / write)})
            found: list[dict[str, Any]] = daq.get_logs(10)
            return found

    first = logs("a.h5")
    assert logs("b.h5")[1:] == first
    assert [Path(log["info"]["output_file"]).name for log in logs()] == ["b.h5", "a.h5"]


@pytest.mark.parametrize("alias", ["/status", "/config"])
def test_older_paths_without_prefix_are_served(url: str, alias: str) -> None:
    assert httpx.get(url + alias).json()["status"] == "ok"
    assert httpx.post(url + "/stop", json={}).json()["writer"]["state"] == "READY"


def test_the_newer_routes_take_the_whole_document_and_say_who_asks(
    url: str, running: tuple[Service, FakePlane], caplog: pytest.LogCaptureFixture
) -> None:
    assert httpx.get(f"{url}/api/config/get", params={"user": "ada"}).json() is None
    with caplog.at_level("INFO"):
        answer = httpx.post(f"{url}/api/config/set", params={"user": "ada"}, json=CONFIG).json()
    assert (answer["status"], answer["config"]) == ("ok", CONFIG)
    assert httpx.get(f"{url}/api/config/get").json() == CONFIG
    assert "http ada@127.0.0.1: engine.configure" in caplog.text
    partial = httpx.post(f"{url}/api/config/set", json={"bit_depth": 8}).json()
    assert (partial["status"], httpx.get(f"{url}/api/config/get").json()) == ("error", CONFIG)
