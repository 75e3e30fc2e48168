"""gf_repstream's REST interface, as its own clients use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repstream.parameters import gf_repstream as shapes
from repstream.service.service import Service
from repstream_http import HttpServer
from repstream_http.compat.gf_repstream import create_app
from repstream_http.compat.views import chosen
from tests.fakes import FakePlane
from tests.integration.rig import running_rig, until
from tests.rest.compat.gf_repstream import TWO_STREAMS

WRITER = {"output_file": "/data/run.h5", "run_id": 7, "n_images": 10, "detector_name": "gigafrost"}


class Client:
    """Asks as gf_repstream's clients do: status 200 always."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, route: str) -> dict[str, Any]:
        return self._answer(self._http.get(f"/{route}"))

    def post(self, route: str, body: Any = None, **how: Any) -> dict[str, Any]:
        return self._answer(
            self._http.post(f"/{route}", json=body, **how)
            if body is not None
            else self._http.post(f"/{route}", **how)
        )

    @staticmethod
    def _answer(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        assert told["response"] in ("success", "error")
        assert (told["response"] == "error") == ("error" in told)
        return told


@pytest.fixture
def gf(running: tuple[Service, FakePlane]) -> Iterator[Client]:
    with (
        HttpServer(create_app(running[0]), port=0) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        yield Client(http)


def test_a_run_from_configuration_to_stop(gf: Client) -> None:
    assert gf.get("get_state") == {"response": "success", "state": ["STOPPED", 3]}
    assert gf.post("set_config_from_dict", TWO_STREAMS)["state"] == ["INITIALIZED", 0]
    assert gf.post("start") == {"response": "success", "state": ["RUNNING", 1]}
    assert gf.get("alive")["state"] == ["RUNNING", 1]
    assert gf.post("stop") == {"response": "success", "state": ["STOPPED", 3]}
    refused = gf.post("start")
    assert refused["error"].startswith("Streamer in state STOPPED can not be started.")
    assert gf.post("initialize")["state"] == ["INITIALIZED", 0]
    assert gf.post("start")["state"] == ["RUNNING", 1]


def test_the_configuration_reads_back_as_it_was_given(gf: Client, running: tuple[Service, FakePlane]) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    config = gf.get("get_status")["config"]
    assert {key: config[key] for key in TWO_STREAMS} == TWO_STREAMS
    assert set(config) == {*shapes.KEYS, "config_file", "mode_metadata", "writer_config"}
    assert running[0].read("streams.gpu.every_nth").value == 10
    assert running[0].read("streams.preview.stride").value == 3
    assert gf.post("initialize")["config"] == config


def test_an_initialization_may_bring_its_configuration(gf: Client) -> None:
    answer = gf.post("initialize", TWO_STREAMS)
    assert answer["state"] == ["INITIALIZED", 0]
    assert {key: answer["config"][key] for key in TWO_STREAMS} == TWO_STREAMS
    assert gf.post("initialize", {"buffer_size": 2000})["config"]["buffer_size"] == 2000
    refused = gf.post("initialize", {"buffer_size": "many"})
    assert "buffer_size" in refused["error"]
    assert gf.get("get_status")["config"]["buffer_size"] == 2000


def test_an_engine_that_failed_is_an_error_until_it_is_initialized(
    gf: Client, running: tuple[Service, FakePlane]
) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    gf.post("start")
    running[1].die()
    until(lambda: gf.get("get_state")["state"] == ["ERROR", 2], "the error")
    for route, says in (("start", "in state ERROR can not be started"), ("stop", "is not running")):
        refused = gf.post(route)
        assert (says in refused["error"], refused["state"]) == (True, ["ERROR", 2])
    assert gf.post("initialize")["state"] == ["INITIALIZED", 0]
    assert gf.post("start")["state"] == ["RUNNING", 1]


def test_numeric_zmq_modes_mean_the_same(gf: Client) -> None:
    numeric = {**TWO_STREAMS, "in_zmq_mode": int(zmq.SUB), "zmq_modes": [int(zmq.PUSH), int(zmq.PUB)]}
    gf.post("set_config_from_dict", numeric)
    config = gf.get("get_status")["config"]
    assert (config["in_zmq_mode"], config["zmq_modes"]) == ("SUB", ["PUSH", "PUB"])


PARTS = {
    "in_address": "tcp://127.0.0.1:9991",
    "in_zmq_mode": "SUB",
    "io_threads": 3,
    "buffer_size": 1234,
    "send_output_mode": ["forward", "send_every_sec"],
    "send_output_param": [4, 2],
    "stream_ports": [9712, 9713],
    "stream_names": ["a", "b"],
    "zmq_modes": ["PUB", "PUB"],
    "frame_block": 20,
    "mode_metadata": "file",
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(sorted(PARTS))))
def test_any_part_of_the_dictionary_changes_just_that(gf: Client, keys: set[str]) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    before = gf.get("get_status")["config"]
    part = {key: PARTS[key] for key in keys}
    assert gf.post("set_config_from_dict", part)["response"] == "success"
    after = gf.get("get_status")["config"]
    expected = {**before, **part}
    if "send_output_mode" in keys and "send_output_param" not in keys:
        expected["send_output_param"] = after["send_output_param"]
        assert after["send_output_param"][1] == 3
    if "send_output_mode" in keys:  # forward has no parameter
        expected["send_output_param"][0] = 1
    assert after == expected


def test_the_configuration_that_was_read_may_come_back_changed(gf: Client, tmp_path: Path) -> None:
    path = tmp_path / "repstream_config.json"
    source = {"name": "in", "zmq_mode": "PULL", "address": "tcp://127.0.0.1:9990"}
    path.write_text(json.dumps({"in-stream": source, "out-streams": {}}))
    for file in (None, str(path)):
        if file:
            gf.post("set_config_from_file", {"config_file": file})
        gf.post("set_config_from_dict", TWO_STREAMS)
        config = gf.get("get_status")["config"]
        assert config["config_file"] == file
        for route in ("set_config_from_dict", "initialize"):
            assert gf.post(route, {**config, "buffer_size": 3000})["response"] == "success"
            assert gf.get("get_status")["config"] == {**config, "buffer_size": 3000}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({**TWO_STREAMS, "stream_ports": [9710]}, "stream_ports 1"),
        ({**TWO_STREAMS, "n_output_streams": 3}, "n_output_streams = 3"),
        ({"n_output_streams": 1}, "n_output_streams = 1"),
        ({"stream_names": ["only"]}, "stream_names 1"),
        ({"stream_names": ["same", "same"]}, "must be different"),
        ({"stream_names": "gpu"}, "must be a list"),
        ({"stream_ports": 9710}, "must be a list"),
        ({"n_output_streams": {}}, "must be a number"),
        ({"in_zmq_mode": None}, "mode None"),
        ({"in_adress": "tcp://x:1"}, "did you mean in_address"),
        ({"in_address": "nonsense"}, "source.address"),
        ({"in_zmq_mode": "PUB"}, "source.mode"),
        ({"send_output_mode": ["nonsense", "forward"]}, "nonsense"),
        ({"zmq_modes": [99, 8]}, "wrong value"),
        ({"io_threads": "many"}, "io_threads"),
        ({"config_file": "x.json", "io_threads": 2}, "config_file goes alone"),
        ({"writer_config": {"n_images": 3}}, "writer_config goes to /set_writer_config"),
        ([1, 2], "JSON object"),
        ("text", "JSON object"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(gf: Client, body: Any, says: str) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    before = gf.get("get_status")
    refused = gf.post("set_config_from_dict", body)
    assert says in refused["error"]
    assert refused["state"] == ["INITIALIZED", 0]
    assert gf.get("get_status") == before


@pytest.mark.parametrize("garbage", [b"{", b"\xff\xfe", b"[" * 10_000, b"nonsense"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_garbage_is_answered_with_200_and_the_reason(gf: Client, garbage: bytes, kind: str) -> None:
    for route in ("set_config_from_dict", "set_config_from_file", "set_writer_config", "initialize"):
        refused = gf.post(route, content=garbage, headers={"Content-Type": kind})
        assert "JSON" in refused["error"]


@pytest.mark.parametrize("older", [False, True])
def test_both_shapes_of_configuration_files(gf: Client, tmp_path: Path, older: bool) -> None:
    source = {"name": "in", "zmq_mode": "PULL", "address": "tcp://127.0.0.1:9990"}
    new = {
        "in-stream": source,
        "out-streams": {
            "gpu": {
                "zmq_mode": "PUB",
                "port": 9667,
                "send_output_mode": "send_every_nth",
                "send_output_param": 5,
            }
        },
    }
    old = {
        "in-stream": [source],
        "out-streams": [{"name": "gpu", "zmq_mode": "PUB", "port": 9667, "send_every_nth": 5}],
    }
    path = tmp_path / "repstream_config.json"
    path.write_text(json.dumps(old if older else new))
    assert gf.post("set_config_from_file", {"config_file": str(path)})["state"] == ["INITIALIZED", 0]
    config = gf.get("get_status")["config"]
    assert (config["stream_names"], config["stream_ports"], config["send_output_param"]) == (
        ["gpu"],
        [9667],
        [5],
    )
    assert config["config_file"] == str(path)


def test_a_file_that_cannot_be_taken_is_named(gf: Client, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert "config_file is missing" in gf.post("set_config_from_file", {})["error"]
    for name in ("nothing.json", "bad.json"):
        assert name in gf.post("set_config_from_file", {"config_file": str(tmp_path / name)})["error"]


def test_nothing_is_configured_while_running(gf: Client) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    gf.post("start")
    for route in (
        "set_config_from_dict",
        "set_config_from_file",
        "set_writer_config",
        "set_writer_config_rest",
    ):
        assert gf.post(route, TWO_STREAMS)["error"] == "Streamer in state RUNNING can not be configured."
    assert gf.post("initialize")["error"] == "Streamer in state RUNNING can not be initialized."
    assert "RUNNING can not be started" in gf.post("start")["error"]


def test_stop_wants_a_running_streamer(gf: Client) -> None:
    assert gf.post("stop") == {
        "response": "error",
        "error": "Streamer is not running.",
        "state": ["STOPPED", 3],
    }


@pytest.mark.parametrize("route", ["set_writer_config", "set_writer_config_rest"])
def test_an_external_writer_is_configured_anew_before_each_start(
    gf: Client, running: tuple[Service, FakePlane], route: str
) -> None:
    with_writer = {**TWO_STREAMS, "stream_names": ["std-det-writer", "preview"]}
    below_root = {**WRITER, "output_file": f"{running[0].read('engine.roots').value}/run.h5"}
    assert "no std-det-writer stream" in gf.post(route, below_root)["error"]
    assert gf.post("set_config_from_dict", with_writer)["state"] == ["STOPPED", 3]
    assert "needs /set_writer_config" in gf.post("start")["error"]
    assert "n_images" in gf.post(route, {k: v for k, v in below_root.items() if k != "n_images"})["error"]
    assert "is not below an allowed folder" in gf.post(route, WRITER)["error"]
    assert gf.post(route, below_root)["state"] == ["INITIALIZED", 0]
    assert gf.get("get_status")["config"]["writer_config"] == below_root
    assert running[0].read("writers.1.num_images").value == 10
    assert running[0].read("streams.std-det-writer.header").value == "std_det_writer"
    assert gf.post("start")["state"] == ["RUNNING", 1]
    gf.post("stop")
    assert gf.post("initialize")["state"] == ["STOPPED", 3]
    assert "needs /set_writer_config" in gf.post("start")["error"]


def test_a_start_that_cannot_bind_says_so_and_stays(gf: Client, running: tuple[Service, FakePlane]) -> None:
    gf.post("set_config_from_dict", TWO_STREAMS)
    running[1].refuse = "tcp://*:9710: Address already in use"
    refused = gf.post("start")
    assert "Address already in use" in refused["error"]
    assert refused["state"] == ["INITIALIZED", 0]


def test_frames_go_through_what_gf_repstream_configured(tmp_path: Path) -> None:
    with (
        running_rig(tmp_path) as rig,
        HttpServer(create_app(rig.service), port=0) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        gf = Client(http)
        gf.post(
            "set_config_from_dict",
            {
                **TWO_STREAMS,
                "in_address": rig.detector.address,
                "stream_ports": [rig.ports["all"], rig.ports["fifth"]],
                "send_output_mode": ["forward", "strides"],
            },
        )
        assert gf.post("start")["response"] == "success"
        everything = rig.consumer("all", zmq.PULL)
        strides = rig.consumer("fifth", zmq.SUB)
        until(lambda: rig.value("streams.preview.clients") == 1, "the subscriber")
        rig.detector.send(range(12))
        until(lambda: len(everything.ids) == 12, "all frames")
        until(lambda: len(strides.ids) == 6, "three of six, twice")
        assert strides.ids == [0, 1, 2, 6, 7, 8]
        assert rig.client("tango").read("engine.state") == "RUNNING"
        assert gf.post("stop")["state"] == ["STOPPED", 3]


def test_views_are_chosen_by_name_and_port() -> None:
    assert chosen(["gf_repstream"]) == {"gf_repstream": 8888}
    assert chosen(["gf_repstream=9000"]) == {"gf_repstream": 9000}
    for wrong in ("nonsense", "gf_repstream=x", "gf_repstream=70000"):
        with pytest.raises(ValueError, match=r"is no view|is a number"):
            chosen([wrong])
