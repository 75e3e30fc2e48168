"""A camera server elsewhere."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.ports import free_port

from repstream.errors import EngineUnreachable, Refused, RepstreamError
from repstream.instances.saved.camera_server import CameraServer


class Answers(BaseHTTPRequestHandler):
    asked: Mapping[str, str] = {}
    """The headers of the last request."""

    def do_GET(self) -> None:
        Answers.asked = self.headers
        known = {
            "/api/v1/cam": {"state": "ok", "cameras": ["a b", "c"]},
            "/api/v1/cam/a%20b": {"state": "ok", "stream": "tcp://host:1"},
            "/api/v1/cam/a%20b/config": {"state": "ok", "config": {"curve_key": "daq"}},
            "/api/v1/cam/list": [1, 2],
            "/api/v1/cam/empty": {"state": "ok"},
            "/api/v1/cam/..%2Fc": {"state": "error", "status": "no path"},
        }
        self.send_response(200 if self.path in known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(known.get(self.path, {})).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_is_asked_for_cameras_and_streams(url: str) -> None:
    server = CameraServer(url + "/")
    assert server.names() == ["a b", "c"]
    assert server.stream("a b") == ("tcp://host:1", "daq")


def test_a_token_in_its_url_is_sent_and_never_shown(url: str) -> None:
    server = CameraServer(url.replace("http://", "http://anybody:to%20ken@"))
    assert server.address == url
    assert server.names() == ["a b", "c"]
    assert Answers.asked["Authorization"] == f"Basic {b64encode(b'anybody:to ken').decode()}"
    for name in ("../c", "list"):
        with pytest.raises(RepstreamError) as refused:
            server.stream(name)
        assert "ken" not in str(refused.value)


def test_what_it_refuses_names_it(url: str) -> None:
    with pytest.raises(Refused, match=rf"no path \({url}\)"):
        CameraServer(url).stream("../c")


def test_one_that_does_not_answer_or_answers_something_else_is_unreachable(url: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for address, name in ((nobody, "c"), (url, "unknown"), (url, "list"), (url, "empty")):
        with pytest.raises(EngineUnreachable, match=f"the camera server at {address} does not answer"):
            CameraServer(address).stream(name)


@pytest.mark.parametrize("address", ["", "host:8888", "file:///etc/passwd", "ftp://host"])
def test_only_addresses_of_http_are_taken(address: str) -> None:
    with pytest.raises(ValueError, match="no address of a camera server"):
        CameraServer(address)
