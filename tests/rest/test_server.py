"""The server itself: starting, ending, several engines, requests that wait, pages."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from repstream.link.handles import PendingHandle
from repstream.parameters.facts import Value
from repstream.protocol import Completion, Engine, Requester
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.fakes import running_engine
from tests.rest.engines import Passing, changes_url


class Patient(Passing):
    """An engine whose commands end when `finish` is called."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.handles: list[PendingHandle] = []

    def execute(self, command: str, argument: Value, requester: Requester) -> PendingHandle:
        handle = PendingHandle(str(len(self.handles)), command)
        self.handles.append(handle)
        return handle

    def finish(self) -> None:
        for handle in self.handles:
            handle.finish(Completion("1", 1, time.time(), handle.handle_id, handle.command, True, "done"))


def test_many_waiting_requests_leave_the_server_answering(service: Service) -> None:
    """More of them than threads in the pool: none may hold one."""
    engine = Patient(service)
    with HttpServer(create_app({"test": engine}), port=0) as server, ThreadPoolExecutor(60) as pool:
        flush = f"{server.url}/api/v1/commands/writers.main.flush"
        waiting = [pool.submit(httpx.post, flush, json={"wait": 60}, timeout=60) for _ in range(60)]
        while len(engine.handles) < len(waiting):
            time.sleep(0.01)
        assert httpx.get(f"{server.url}/api/v1/state", timeout=30).status_code == 200
        engine.finish()
        assert [answer.result().json()["message"] for answer in waiting] == ["done"] * len(waiting)


def test_a_stop_ends_waiting_requests_sockets_and_threads(service: Service) -> None:
    before = set(threading.enumerate())
    engine = Patient(service)
    with (
        HttpServer(create_app({"test": engine}), port=0) as server,
        ThreadPoolExecutor(1) as pool,
        connect(changes_url(server)) as changes,
    ):
        changes.recv()
        start = f"{server.url}/api/v1/commands/engine.start"
        waiting = pool.submit(httpx.post, start, json={"wait": 3600}, timeout=60)
        while not engine.handles:
            time.sleep(0.01)
        server.close()
        assert waiting.exception() is not None or waiting.result().is_error
        with pytest.raises(ConnectionClosed):
            changes.recv(timeout=10)
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url)
    assert set(threading.enumerate()) <= before


def test_a_port_that_is_taken_is_an_error_at_once(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HttpServer(create_app({"test": service}), port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            server.start()
        server.close()


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_fits_no_path_is_refused(service: Service, name: str) -> None:
    with pytest.raises(ValueError, match="another name"):
        create_app({name: service})


def test_no_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        create_app({})


def test_several_engines_have_paths_of_their_own_and_the_first_the_plain_one(
    tmp_path: Path, service: Service
) -> None:
    with (
        running_engine(tmp_path) as second,
        HttpServer(create_app({"one": service, "two": second}), port=0) as server,
        httpx.Client(base_url=f"{server.url}/api/v1") as api,
    ):
        key = "parameters/streams.live.every_nth"
        api.put(f"/engines/two/{key}", json={"value": 2})
        api.put(f"/{key}", json={"value": 1_000})
        assert api.get(f"/engines/one/{key}").json()["value"] == 1_000
        assert api.get(f"/engines/two/{key}").json()["value"] == 2
        assert [engine["default"] for engine in api.get("/engines").json()] == [True, False]
        assert api.get("/engines/three/state").status_code == 404


def test_health_is_200_while_the_engine_is_there(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["engines"]) == (200, {"test": "INITIALIZED"})


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_need_nothing_from_elsewhere(http: httpx.Client, path: str) -> None:
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.extend(str(value) for name, value in attributes if name in ("href", "src"))

    Links().feed(http.get(path).text)
    assert [link for link in found if "//" in link] == []
    assert all(http.get(f"/{link}").status_code == 200 for link in found)


def test_the_reference_page_tells_every_parameter_and_command(http: httpx.Client, service: Service) -> None:
    page = http.get("/docs").text
    assert all(
        f"<code>{parameter.field}</code>" in page for parameter in service.catalogue.parameters.values()
    )
    assert "writers.{name}.start" in page


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing"])
def test_an_unknown_path_answers_in_the_shape_of_every_error(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["subject"] == path


def test_a_page_of_another_site_may_not_command(http: httpx.Client, server: HttpServer) -> None:
    stop = "/api/v1/commands/engine.stop"
    assert http.post(stop, headers={"origin": "http://elsewhere.example"}).status_code == 403
    assert http.post(stop, headers={"origin": "null"}).status_code == 403
    assert http.post(stop, headers={"origin": server.url}).status_code in (200, 202)
