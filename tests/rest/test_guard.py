"""Who may read and change: tokens, the cookie of the page, read-only mode; queries and methods."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.guard import COOKIE, Guard, open_to_all
from tests.rest.engines import changes_url

READ, CHANGE = "reading-token", "changing-token"
KEY = "/api/v1/parameters/writers.main.num_images"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def status(server: HttpServer, method: str, path: str, **more: object) -> int:
    return httpx.request(method, server.url + path, timeout=30, **more).status_code  # type: ignore[arg-type]


def test_each_token_allows_what_it_is_for(service: Service) -> None:
    with HttpServer(create_app({"test": service}, Guard(READ, CHANGE)), port=0) as server:
        new = {"json": {"value": 3}}
        assert status(server, "GET", KEY) == 401
        assert status(server, "GET", KEY, headers=bearer("something else")) == 401
        assert status(server, "GET", KEY, headers=bearer(READ)) == 200
        assert status(server, "PUT", KEY, headers=bearer(READ), **new) == 401
        assert service.read("writers.1.num_images").value == 0
        assert status(server, "PUT", KEY, headers=bearer(CHANGE), **new) == 200
        assert service.read("writers.1.num_images").value == 3
        assert status(server, "GET", "/metrics") == 401
        assert status(server, "GET", "/health") == status(server, "GET", "/") == 200


def test_a_token_for_changes_alone_leaves_reading_open(service: Service) -> None:
    with HttpServer(create_app({"test": service}, Guard(change_token=CHANGE)), port=0) as server:
        assert status(server, "GET", KEY) == 200
        assert status(server, "POST", "/api/v1/commands/engine.start") == 401


def test_read_only_refuses_everybody_with_the_reason(service: Service) -> None:
    with HttpServer(
        create_app({"test": service}, Guard(change_token=CHANGE, read_only=True)), port=0
    ) as server:
        answer = httpx.post(f"{server.url}/api/v1/commands/engine.start", headers=bearer(CHANGE))
        assert answer.status_code == 403
        assert "read-only" in answer.json()["error"]["reason"]
        assert service.read("engine.state").value != "RUNNING"


def test_a_page_logs_in_once_and_its_cookie_opens_websockets(service: Service) -> None:
    with HttpServer(create_app({"test": service}, Guard(READ, CHANGE)), port=0) as server:
        with pytest.raises(InvalidStatus):
            connect(changes_url(server))
        with httpx.Client(base_url=server.url, timeout=30) as page:
            assert page.get("/api/v1/access").json()["read"] is False
            wrong = page.post("/api/v1/login", json={"token": "guessed-wrong"})
            assert wrong.status_code == 401 and COOKIE not in page.cookies
            right = page.post("/api/v1/login", json={"token": CHANGE})
            assert right.json() == {"read": True, "change": True, "login": False, "reason": ""}
            assert {"httponly", "samesite=strict"} <= set(right.headers["set-cookie"].lower().split("; "))
            assert CHANGE not in right.headers["set-cookie"]
            assert page.put(KEY, json={"value": 5}).status_code == 200
            cookie = {"cookie": f"{COOKIE}={page.cookies[COOKIE]}"}
            with connect(changes_url(server), additional_headers=cookie) as changes:
                assert "snapshot" in str(changes.recv(timeout=10))
            page.post("/api/v1/logout")
            assert page.get(KEY).status_code == 401


def test_a_token_may_be_the_password_of_basic_authentication(service: Service) -> None:
    with HttpServer(create_app({"test": service}, Guard(READ, CHANGE)), port=0) as server:
        assert status(server, "GET", KEY, auth=("anna", READ)) == 200
        assert status(server, "PUT", KEY, auth=("anna", READ), json={"value": 3}) == 401
        assert status(server, "PUT", KEY, auth=("anna", CHANGE), json={"value": 4}) == 200
        assert "http anna@" in str(service.read("engine.last_command_by").value)
        assert status(server, "GET", KEY, auth=("anna", "wrong-password")) == 401


@pytest.mark.parametrize(
    "tokens", [{"read_token": READ}, {"read_token": READ, "change_token": READ}, {"change_token": "short"}]
)
def test_tokens_that_protect_less_than_they_seem_to_are_refused(tokens: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="token"):
        Guard(**tokens)


def test_a_websocket_of_another_sites_page_is_refused(server: HttpServer) -> None:
    with pytest.raises(InvalidStatus):
        connect(changes_url(server), additional_headers={"origin": "http://evil.example"})


@pytest.mark.parametrize(
    "path",
    ["/parameters?groop=streams", "/state?x=1", f"{KEY.removeprefix('/api/v1')}?value=3", "/log?afer=1"],
)
def test_a_query_parameter_that_is_not_known_is_refused(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 422
    assert "no query parameter" in answer.json()["error"]["reason"]


def test_a_misspelt_query_parameter_gets_a_hint(api: httpx.Client) -> None:
    assert "did you mean group?" in api.get("/parameters?groop=streams").json()["error"]["reason"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"  ", b"{}"])
@pytest.mark.parametrize("path", ["/config", "/parameters", KEY.removeprefix("/api/v1")])
def test_an_empty_body_is_refused_and_changes_nothing(
    api: httpx.Client, service: Service, method: str, body: bytes, path: str
) -> None:
    before = service.read("engine.config").value
    answer = api.request(method, path, content=body)
    assert answer.status_code in {422, 405}
    assert service.read("engine.config").value == before


def test_405_says_every_method_that_the_path_has(api: httpx.Client) -> None:
    answer = api.delete("/config")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, PATCH, PUT"


def test_a_server_that_is_open_to_the_network_says_so() -> None:
    assert "may change everything" in open_to_all("0.0.0.0", Guard())
    assert not open_to_all("127.0.0.1", Guard())
    assert not open_to_all("0.0.0.0", Guard(change_token=CHANGE))
    assert not open_to_all("0.0.0.0", Guard(read_only=True))
