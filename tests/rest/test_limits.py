"""Who asks too fast, guesses tokens, or says too much, waits; everybody else is served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.guard import Guard
from repstream_http.limits import MOST_ADDRESSES, WRONG_TOKENS, Buckets, Limits, Tries
from repstream_http.server import MESSAGE_LIMIT
from tests.rest.engines import changes_url

TOKEN = "changing-token"
KEY = "/api/v1/parameters/writers.main.num_images"


def elsewhere(host: str = "203.0.113.7") -> dict[str, str]:
    """A client of another host, as a proxy on this one says."""
    return {"x-forwarded-for": host}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    st.floats(0.1, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 50)), max_size=20),
)
def test_a_bucket_never_gives_more_than_its_depth_and_rate(
    rate: float, depth: int, course: list[tuple[float, int]]
) -> None:
    clock = Clock()
    buckets, taken = Buckets(rate, depth, clock), 0
    for pause, number in course:
        clock.now += pause
        taken += sum(buckets.take("a") == 0 for _ in range(number))
    assert taken <= depth + rate * (clock.now - 1000.0) + 1e-3


def test_who_waits_as_long_as_was_said_is_served_and_others_need_not_wait() -> None:
    clock = Clock()
    buckets = Buckets(2.0, 1, clock)
    assert buckets.take("a") == 0
    wait = buckets.take("a")
    assert wait == pytest.approx(0.5)
    assert buckets.take("b") == 0
    clock.now += wait
    assert buckets.take("a") == 0


def test_addresses_without_number_need_no_memory_without_end() -> None:
    buckets = Buckets(1.0, 1)
    for number in range(MOST_ADDRESSES + 100):
        buckets.take(str(number))
    assert len(buckets._levels) == MOST_ADDRESSES


def test_guesses_are_slowed_for_the_one_who_guesses() -> None:
    clock = Clock()
    tries = Tries(clock)
    assert tries.wait("bad", "right", True) == 0  # somebody there has the token
    assert [tries.wait("bad", str(n), False) for n in range(WRONG_TOKENS)] == [0.0] * WRONG_TOKENS
    assert tries.wait("bad", "wrong", False) > 0
    assert tries.wait("bad", "other right", True) > 0  # or it could be found by guessing on
    assert tries.wait("bad", "right", True) == 0
    assert tries.wait("good", "right", True) == 0
    clock.now += tries.wait("bad", "wrong", False)
    assert tries.wait("bad", "other right", True) == 0


def test_changes_are_limited_more_than_reads_and_each_address_for_itself(service: Service) -> None:
    app = create_app({"test": service}, limits=Limits(reads=50.0, changes=1.0))
    with HttpServer(app, port=0) as server, httpx.Client(base_url=server.url, timeout=30) as client:

        def change(host: str) -> httpx.Response:
            return client.put(KEY, json={"value": 3}, headers=elsewhere(host))

        answers = [change("203.0.113.7") for _ in range(5)]
        late = answers[-1]
        assert [a.status_code for a in answers[:3]] == [200] * 3
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) >= 1
        assert "ask again in" in late.json()["error"]["reason"]
        assert change("203.0.113.8").status_code == 200
        assert client.get("/api/v1/state", headers=elsewhere()).status_code == 200


def test_a_poller_of_this_host_is_never_limited(service: Service) -> None:
    app = create_app({"test": service}, limits=Limits(reads=1.0, changes=1.0))
    with HttpServer(app, port=0) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        assert {client.get("/health").status_code for _ in range(200)} == {200}
        assert {client.put(KEY, json={"value": 3}).status_code for _ in range(20)} == {200}


def test_the_usual_limits_let_a_client_elsewhere_poll_two_hundred_times_a_second(service: Service) -> None:
    with (
        HttpServer(create_app({"test": service}), port=0) as server,
        ThreadPoolExecutor(4) as pool,
        httpx.Client(base_url=server.url, timeout=30, headers=elsewhere()) as client,
    ):
        asked = [pool.submit(client.get, "/api/v1/state") for _ in range(400)]
        assert {answer.result().status_code for answer in asked} == {200}


def test_wrong_tokens_are_answered_late_then_not_at_all(service: Service) -> None:
    app = create_app({"test": service}, Guard(change_token=TOKEN))
    with HttpServer(app, port=0) as server, httpx.Client(base_url=server.url, timeout=30) as client:

        def asked(token: str, host: str = "203.0.113.7") -> int:
            headers = {"authorization": f"Bearer {token}", **elsewhere(host)}
            return client.put(KEY, json={"value": 3}, headers=headers).status_code

        assert asked(TOKEN) == 200
        assert [asked(f"guess-number-{n}") for n in range(WRONG_TOKENS)] == [401] * WRONG_TOKENS
        assert asked("one-guess-more") == 429
        assert client.post("/api/v1/login", json={"token": "a-guess"}, headers=elsewhere()).status_code == 429
        assert asked(TOKEN) == 200  # who had it before is not locked out by others at the same address
        assert asked(TOKEN, "203.0.113.9") == 200


def test_a_websocket_takes_no_long_messages_and_an_address_not_any_number(service: Service) -> None:
    app = create_app({"test": service}, limits=Limits(reads=1.0))
    with HttpServer(app, port=0) as server:
        with connect(changes_url(server)) as changes, pytest.raises(ConnectionClosed):
            changes.send("a" * (MESSAGE_LIMIT + 1))
            while True:
                changes.recv(timeout=10)
        for _ in range(3):
            with connect(changes_url(server), additional_headers=elsewhere()):
                pass
        with pytest.raises(InvalidStatus), connect(changes_url(server), additional_headers=elsewhere()):
            pass
