"""Tokens in a file: named, rotated without a restart, and before every interface that is served."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse
from typer.testing import CliRunner, Result
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from repstream.errors import Refused
from repstream.link.history import History
from repstream.service.service import Service
from repstream_cli.exits import Exit
from repstream_cli.tokens import tokens as command
from repstream_http import HttpServer, create_app
from repstream_http.compat.cam_server import convention
from repstream_http.compat.cam_server.convention import Route
from repstream_http.compat.views import VIEWS
from repstream_http.guard import COOKIE, Guard
from repstream_http.limits import Limits
from repstream_http.protection import Protection
from repstream_http.tokens import TokenFile

KEY = "/api/v1/parameters/writers.main.num_images"
READ, CHANGE = "reading-token", "changing-token"


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "settings" / "tokens.json")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_the_file_is_its_owners_and_holds_no_token(file: TokenFile) -> None:
    token = file.create("anna", "change")
    assert len(token) >= 40
    assert token not in file.path.read_text()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.check()
    file.path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        file.check()


def test_named_tokens_allow_what_they_are_for_and_stand_in_the_log(service: Service, file: TokenFile) -> None:
    anna, viewer = file.create("anna", "change"), file.create("grafana", "read")
    with (
        HttpServer(create_app({"test": service}, Guard(file=file)), port=0) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        assert client.get(KEY).status_code == 401
        assert client.get("/metrics", headers=bearer(viewer)).status_code == 200
        assert client.put(KEY, json={"value": 3}, headers=bearer(viewer)).status_code == 401
        assert client.put(KEY, json={"value": 3}, headers=bearer(anna)).status_code == 200
        assert "http anna@" in str(service.read("engine.last_command_by").value)


def test_tokens_are_rotated_and_forgotten_without_a_restart(service: Service, file: TokenFile) -> None:
    former = file.create("anna", "change")
    with (
        HttpServer(create_app({"test": service}, Guard(file=file)), port=0) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):

        def asked(token: str) -> int:
            return client.get(KEY, headers=bearer(token)).status_code

        assert asked(former) == 200
        new = file.rotate("anna", overlap=1)
        assert (asked(former), asked(new)) == (200, 200)
        newest = file.rotate("anna")
        assert (asked(former), asked(new), asked(newest)) == (401, 401, 200)
        file.path.write_text("damaged")
        assert asked(newest) == 200
        file.path.unlink()
        assert asked(newest) == 200  # what cannot be read changes nothing
        bob = file.create("bob", "read")
        assert (asked(newest), asked(bob)) == (401, 200)
        file.remove("bob")
        assert asked(bob) == 401


def test_an_expired_token_opens_nothing(file: TokenFile) -> None:
    token = file.create("guest", "change", days=1 / 86400)
    guard = Guard(file=file)
    assert not guard.shown_by(token).is_wrong
    while guard.file is not None and guard.file.good():
        time.sleep(0.1)
    assert guard.shown_by(token).is_wrong


def test_open_reading_is_for_reading_only(service: Service, file: TokenFile) -> None:
    file.create("anna", "change")
    guard = Guard(file=file, open_reading=True)
    with (
        HttpServer(create_app({"test": service}, guard), port=0) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        assert client.get(KEY).status_code == 200
        assert client.put(KEY, json={"value": 3}).status_code == 401


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"open_reading": True}, "tokens from a file"),
        ({"read_token": READ}, "leaves changes open"),
        ({"tokens": Path("/nowhere/tokens.json")}, "repstream tokens create"),
        ({"most_reads": -1.0}, "--http-max-reads"),
        ({"tls_key": Path("a.key")}, "a certificate is missing"),
    ],
)
def test_what_protects_less_than_it_seems_to_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        Protection.of(**given)  # type: ignore[arg-type]


@pytest.fixture
def history(service: Service) -> Iterator[History]:
    history = History(service, None)
    yield history
    history.close()


PROTECTED = Protection(Guard(READ, CHANGE), Limits())
ROUTES = {
    "gf_repstream": ("/get_state", "/stop", ("response", "error")),
    "std_daq": ("/writer/status", "/writer/stop", ("status", "error")),
}


@pytest.mark.parametrize("name", ROUTES)
def test_an_interface_of_a_replaced_system_wants_tokens_in_its_own_words(
    service: Service, history: History, name: str
) -> None:
    reading, changing, (field, word) = ROUTES[name]
    app = VIEWS[name].protected(service, history, None, PROTECTED)
    with HttpServer(app, port=0) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        refused = client.get(reading)
        assert refused.status_code == 401
        assert refused.json()[field] == word
        assert refused.headers["www-authenticate"].startswith("Basic")
        by_url = server.url.replace("://", f"://anybody:{READ}@")
        assert httpx.get(by_url + reading, timeout=30).status_code == 200
        assert client.post(changing, auth=("", READ)).status_code == 401
        assert client.post(changing, auth=("", CHANGE)).status_code == 200
        if name == "std_daq":
            assert client.get("/daq/live").status_code == 401  # the film, too


def test_the_drivers_websocket_wants_the_token_for_changes(service: Service, history: History) -> None:
    app = VIEWS["std_daq_driver"].protected(service, history, None, PROTECTED)
    with HttpServer(app, port=0) as server:
        url = server.url.replace("http", "ws", 1)
        for headers in ({}, bearer(READ)):
            with pytest.raises(InvalidStatus), connect(url, additional_headers=headers):
                pass
        with connect(url.replace("://", f"://x:{CHANGE}@")) as driver:
            assert "status" in json.loads(driver.recv(timeout=10))


@pytest.fixture
def cam_server() -> Iterator[HttpServer]:
    routes = [
        Route("GET", "/info", "info", "Info.", lambda asked: {"info": {}}),
        Route("DELETE", "/{name}", "", "Stop.", lambda asked: {}),
        Route("GET", "/api/v1/reset", "", "End the server.", lambda asked: {}),
    ]
    app = convention.create_app("Camera server", "/api/v1/cam", routes)
    app.add_route("/", lambda request: JSONResponse({}))
    convention.protect(app, PROTECTED)
    with HttpServer(app, port=0) as server:
        yield server


def test_cam_server_wants_tokens_and_no_page_from_elsewhere_uses_a_browsers(cam_server: HttpServer) -> None:
    with httpx.Client(base_url=cam_server.url, timeout=30) as client:
        assert client.get("/api/v1/cam/info").json()["state"] == "error"
        assert client.get("/api/v1/cam/info", auth=("x", READ)).json()["state"] == "ok"
        for method, path in (("DELETE", "/api/v1/cam/a"), ("GET", "/api/v1/reset")):
            assert client.request(method, path, auth=("x", READ)).status_code == 401
            assert client.request(method, path, auth=("x", CHANGE)).status_code == 200
        foreign = {"origin": "http://evil.example"}
        assert client.delete("/api/v1/cam/a", auth=("x", CHANGE), headers=foreign).status_code == 403


def test_a_page_that_was_opened_with_a_password_has_the_cookie_for_its_websockets(
    cam_server: HttpServer,
) -> None:
    with httpx.Client(base_url=cam_server.url, timeout=30) as client:
        page = client.get("/", auth=("x", READ))
        assert {"httponly", "samesite=strict"} <= set(page.headers["set-cookie"].lower().split("; "))
        assert READ not in page.headers["set-cookie"]
        assert client.cookies[COOKIE]
        assert client.get("/api/v1/cam/info").json()["state"] == "ok"
        assert client.delete("/api/v1/cam/a").status_code == 401


def typed(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--file", str(file)])


def test_the_command_shows_a_token_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = typed(path, "create", "anna", "--may", "read", "--days", "3").stdout.strip()
    listed = typed(path, "list")
    assert "anna  read" in listed.stdout and "until" in listed.stdout
    assert json.loads(typed(path, "list", "--json").stdout)[0]["name"] == "anna"
    other = typed(path, "rotate", "anna", "--overlap", "2").stdout.strip()
    said = listed.output + typed(path, "list").output + typed(path, "list", "--json").output
    assert "anna-former" in said
    assert token != other and token not in said and other not in said
    assert typed(path, "remove", "anna").exit_code == Exit.OK
    assert TokenFile(path).read() == ()
    assert "there is no token 'anna'" in str(typed(path, "rotate", "anna").exception)
    assert "is no name" in str(typed(path, "create", "an na").exception)


def test_the_folder_of_the_keys_does_not_move_the_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("REPSTREAM_KEYS", str(tmp_path / "elsewhere/keys"))
    place = tmp_path / "settings/repstream/tokens.json"
    assert CliRunner().invoke(command, ["create", "anna"]).exit_code == Exit.OK
    assert place.is_file() and not place.parent.with_name("elsewhere").exists()
    CliRunner().invoke(command, ["remove", "anna"])
    assert CliRunner().invoke(command, ["list"]).stdout.startswith(f"no tokens in {place};")


def test_a_file_cut_short_is_never_seen(file: TokenFile) -> None:
    file.create("anna", "change")
    before = file.path.stat().st_ino
    file.create("bob", "read")
    assert file.path.stat().st_ino != before
    assert [entry.name for entry in file.path.parent.iterdir()] == ["tokens.json"]
