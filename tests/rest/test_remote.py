"""The server attached to an engine by address: the engine is lost, and found again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from websockets.sync.client import connect

from repstream.link.remote import RemoteEngine
from repstream.link.server import EngineServer
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.fakes import FakePlane, running_engine
from tests.rest.engines import changes_url
from tests.toy_camera import CAMERA_ENGINE, CameraConfiguration

KEY = "/api/v1/parameters/streams.live.every_nth"


@contextmanager
def served(service: Service, address: str = "tcp://127.0.0.1:*") -> Iterator[EngineServer]:
    server = EngineServer(service, address)
    server.start()
    with closing(server):
        yield server


@contextmanager
def attached(address: str) -> Iterator[HttpServer]:
    with closing(RemoteEngine(address)) as engine, HttpServer(create_app({"test": engine}), port=0) as server:
        yield server


def wait_for_status(http: httpx.Client, path: str, status: int) -> httpx.Response:
    while (answer := http.get(path)).status_code != status:
        time.sleep(0.05)
    return answer


def test_without_an_engine_everything_answers_and_says_so(tmp_path: Path) -> None:
    with attached(f"ipc://{tmp_path}/nobody") as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/api/v1/state").json()["state"] == "UNKNOWN"
        assert http.get("/health").status_code == 503
        assert http.get("/").status_code == 200
        assert 'repstream_up{engine="test"} 0.0' in http.get("/metrics").text
        assert http.get("/api/v1/config").status_code == 503
        for answer in (
            http.get(KEY),
            http.put(KEY, json={"value": 3}),
            http.put("/api/v1/parameters/streams.1.every_nth", json={"value": 3}),
            http.post("/api/v1/commands/engine.start", json={"wait": 1}),
            http.post("/api/v1/commands/writers.main.start"),
        ):
            assert answer.status_code == 503
            assert "no engine has answered" in answer.json()["error"]["reason"]


def test_an_engine_that_is_lost_is_shown_and_found_again(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/engine"
    with attached(address) as server, httpx.Client(base_url=server.url) as http:
        with running_engine(tmp_path) as service, served(service, address):
            wait_for_status(http, "/health", 200)
            assert http.put(KEY, json={"value": 3}).json()["value"] == 3
            assert http.put(KEY, json={"value": 0}).status_code == 422
        wait_for_status(http, "/health", 503)
        assert http.put(KEY, json={"value": 4}).status_code == 503
        with running_engine(tmp_path) as service, served(service, address):
            wait_for_status(http, "/health", 200)
            assert http.put(KEY, json={"value": 5}).json()["value"] == 5


def test_an_engine_of_another_kind_is_shown_when_it_appears(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/engine"
    camera = ServiceOptions(roots=(tmp_path,), configuration=CameraConfiguration())
    with attached(address) as server, httpx.Client(base_url=server.url) as http:

        def documented() -> str:
            return http.get("/openapi.json").text

        assert "every_nth" in documented()
        assert http.get("/api/v1/parameters/camera.gain").status_code == 503
        with (
            Service(camera, FakePlane(CameraConfiguration), CAMERA_ENGINE) as service,
            served(service, address),
        ):
            wait_for_status(http, "/health", 200)
            assert http.put("/api/v1/parameters/camera.gain", json={"value": "high"}).status_code == 200
            assert http.get("/api/v1/parameters/writers.1.state").status_code == 404
            assert "exposure" in documented()
        wait_for_status(http, "/health", 503)
        with running_engine(tmp_path) as service, served(service, address):
            wait_for_status(http, "/health", 200)
            assert http.get("/api/v1/parameters/camera.gain").status_code == 404
            assert http.get("/api/v1/parameters/writers.1.state").json()["value"] == "READY"
            assert "exposure" not in documented()


def test_a_listener_is_told_that_the_engine_is_lost_and_found(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/engine"
    with (
        running_engine(tmp_path) as service,
        attached(address) as server,
        connect(changes_url(server)) as changes,
    ):

        def wait_for_state(wanted: str) -> None:
            while json.loads(changes.recv(timeout=60)).get("values", {}).get("engine.state") != wanted:
                pass

        wait_for_state("UNKNOWN")
        with served(service, address):
            wait_for_state("INITIALIZED")
        wait_for_state("UNKNOWN")
        with served(service, address):
            wait_for_state("INITIALIZED")


def test_the_console_script_serves_an_engine_and_ends_on_a_signal(tmp_path: Path) -> None:
    with running_engine(tmp_path) as service, served(service) as engine:
        command = [sys.executable, "-c", "from repstream_http.main import main; main()"]
        arguments = [f"beam={engine.address}", "--port", "0"]
        with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().split()[0]
                with httpx.Client(base_url=url) as http:
                    wait_for_status(http, "/health", 200)
                    assert http.get("/api/v1/engines/beam/state").json()["state"] == "INITIALIZED"
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()
