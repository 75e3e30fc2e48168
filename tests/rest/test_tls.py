"""HTTPS: everything over it, plain requests, certificates that cannot serve, and renewed ones."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from repstream import web_client
from repstream.errors import Refused
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.certificate import Certificate, given
from repstream_http.door import answer_to
from repstream_http.guard import Guard
from tests.certificates import Authority, Files
from tests.rest.engines import changes_url

TOKEN = "changing-token"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def files(authority: Authority, request: pytest.FixtureRequest) -> Files:
    return authority.issue("server")


@pytest.fixture
def server(service: Service, files: Files) -> Iterator[HttpServer]:
    app = create_app({"test": service}, Guard(change_token=TOKEN))
    with HttpServer(app, port=0, certificate=Certificate(files.certificate, files.key)) as server:
        yield server


def plain(server: HttpServer) -> str:
    return server.url.replace("https", "http", 1)


def shown_to(server: HttpServer) -> bytes:
    """The certificate that a connection made now is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as raw,
        context.wrap_socket(raw) as encrypted,
    ):
        return encrypted.getpeercert(binary_form=True) or b""


def test_api_and_websocket_work_over_tls_and_the_cookie_stays_there(
    server: HttpServer, authority: Authority
) -> None:
    trusted = authority.trusted()
    assert server.url.startswith("https://")
    with httpx.Client(base_url=server.url, verify=trusted, timeout=30) as client:
        assert client.get("/api/v1/state").status_code == 200
        login = client.post("/api/v1/login", json={"token": TOKEN})
        assert "secure" in login.headers["set-cookie"].lower().split("; ")
        assert client.put("/api/v1/parameters/writers.main.num_images", json={"value": 3}).status_code == 200
    with connect(changes_url(server), ssl=trusted) as changes:
        assert json.loads(changes.recv(timeout=10))["type"] == "snapshot"


def test_a_client_that_does_not_know_the_ca_does_not_connect(server: HttpServer) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(server.url, verify=ssl.create_default_context(), timeout=30)


def test_a_plain_request_of_a_program_is_refused_with_what_to_do(server: HttpServer) -> None:
    answer = httpx.put(f"{plain(server)}/api/v1/config", json={"a": "b" * 100_000}, timeout=30)
    assert answer.status_code == 400
    assert f"ask {server.url}/api/v1/config" in answer.json()["error"]["reason"]


def test_a_browser_that_asks_in_plain_is_led_to_the_encrypted_page(
    server: HttpServer, authority: Authority
) -> None:
    answer = httpx.get(plain(server), headers={"accept": "text/html"}, timeout=30)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{server.url}/")
    assert "repstream" in httpx.get(answer.headers["location"], verify=authority.trusted()).text


def test_a_token_in_the_open_is_refused_and_not_led_on() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a:1\r\nAccept: text/html\r\nAuthorization: Bearer abc\r\n\r\n"
    assert answer_to(head).startswith(b"HTTP/1.1 400")
    assert answer_to(head.replace(b"Authorization", b"X-Other")).startswith(b"HTTP/1.1 307")


@pytest.mark.parametrize("host", [b"a/b", b"a b", b"", b"a\x00"])
def test_nobody_is_led_to_what_is_no_host(host: bytes) -> None:
    answer = answer_to(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nAccept: text/html\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400") and b"location" not in answer


def test_connections_that_say_nothing_or_garbage_hold_nobody_up(
    server: HttpServer, authority: Authority
) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), 10),
        socket.create_connection(("127.0.0.1", server.port), 10) as garbage,
    ):
        garbage.sendall(b"\x00\x01garbage\r\n\r\n")
        assert garbage.recv(100) == b""
        with socket.create_connection(("127.0.0.1", server.port), 10) as broken:
            broken.sendall(b"\x16\x03\x01\x00\x05hello")
            assert httpx.get(f"{server.url}/health", verify=authority.trusted(), timeout=30).is_success


def test_a_renewed_certificate_is_shown_to_new_connections_and_a_bad_one_is_not(
    server: HttpServer, files: Files, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    before = shown_to(server)
    renewed = authority.issue("renewed")
    shutil.copy(renewed.certificate, files.certificate)
    with caplog.at_level(logging.ERROR):  # a key and a certificate are never replaced at one moment
        assert shown_to(server) == before
    assert "the former certificate stays in use" in caplog.text
    shutil.copy(renewed.key, files.key)
    after = shown_to(server)
    assert after != before
    files.certificate.write_text("nothing")
    assert shown_to(server) == after


def test_a_stop_does_not_wait_for_clients_that_stay_and_say_nothing(
    service: Service, files: Files, authority: Authority
) -> None:
    own = Certificate(files.certificate, files.key)
    with ExitStack() as stack, HttpServer(create_app({"test": service}), port=0, certificate=own) as server:
        raw = socket.create_connection(("127.0.0.1", server.port), 10)
        silent = stack.enter_context(authority.trusted().wrap_socket(raw, server_hostname="127.0.0.1"))
        silent.sendall(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert silent.recv(4) == b"HTTP"  # and reads no more of it
        watching = stack.enter_context(connect(changes_url(server), ssl=authority.trusted()))
        assert watching.recv(timeout=10)
        server.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "http server"]


def test_it_says_when_it_expires(authority: Authority) -> None:
    files = authority.issue("week", not_after=NOW + timedelta(days=7))
    left = Certificate(files.certificate, files.key).expires - NOW.timestamp()
    assert left == pytest.approx(7 * 86400, abs=5)


def refused(files: Files) -> str:
    with pytest.raises(Refused) as found:
        Certificate(files.certificate, files.key)
    return str(found.value)


def test_a_certificate_out_of_its_time_is_refused(authority: Authority) -> None:
    old = authority.issue("old", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1))
    assert "has expired" in refused(old) and "have it renewed" in refused(old)
    early = authority.issue("early", not_before=NOW + timedelta(days=1))
    assert "not valid yet" in refused(early) and "set the clock" in refused(early)


def test_files_that_cannot_serve_are_refused_with_what_to_do(authority: Authority, tmp_path: Path) -> None:
    good, other, missing = authority.issue("good"), authority.issue("other"), tmp_path / "missing.pem"
    assert "give the key that the certificate was requested with" in refused(
        Files(good.certificate, other.key)
    )
    assert "cannot be read: No such file" in refused(Files(missing, good.key))
    assert "cannot be read: No such file" in refused(Files(good.certificate, missing))
    assert "cannot be read: Is a directory" in refused(Files(tmp_path, good.key))
    assert "holds no certificate" in refused(Files(good.key, good.key))
    assert "holds no private key" in refused(Files(good.certificate, good.certificate))
    damaged = tmp_path / "damaged.pem"
    damaged.write_text(good.certificate.read_text().replace("A", "B"))
    assert str(damaged) in refused(Files(damaged, good.key))


def test_a_key_with_a_pass_phrase_is_refused_rather_than_asked_for(
    authority: Authority, tmp_path: Path
) -> None:
    good, locked = authority.issue("good"), tmp_path / "locked.key"
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", good.key, "-out", locked]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert "has a pass phrase" in refused(Files(good.certificate, locked))


def test_half_a_certificate_is_refused(files: Files) -> None:
    with pytest.raises(Refused, match="a key is missing"):
        given(files.certificate, None)
    with pytest.raises(Refused, match="a certificate is missing"):
        given(None, files.key)
    assert given(None, None) is None


def test_our_own_clients_trust_a_ca_and_bring_a_token_by_environment(
    server: HttpServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status() -> int:
        body = json.dumps({"value": 5}).encode()
        url = f"{server.url}/api/v1/parameters/writers.main.num_images"
        with web_client.opened(urllib.request.Request(url, body, method="PUT"), 30) as answer:
            return answer.status

    with pytest.raises(OSError) as found:
        status()
    assert web_client.CA_VARIABLE in web_client.reason(found.value)
    monkeypatch.setenv(web_client.CA_VARIABLE, str(authority.ca))
    with pytest.raises(OSError) as found:
        status()
    assert web_client.TOKEN_VARIABLE in web_client.reason(found.value)
    monkeypatch.setenv(web_client.TOKEN_VARIABLE, TOKEN)
    assert status() == 200
    monkeypatch.setenv(web_client.CA_VARIABLE, str(authority.folder / "nothing"))
    with pytest.raises(OSError, match="holds no certificate"):
        status()
