"""The WebSocket of changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion, Event, Subscription
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from repstream_http.changes import MERGE_FROM, OUTBOX_LIMIT, Outbox
from tests.fakes import FakePlane
from tests.rest.engines import Passing, changes_url

EVERY_NTH = "streams.live.every_nth"


@pytest.fixture
def url(server: HttpServer) -> str:
    return changes_url(server)


@pytest.fixture
def socket(url: str) -> Iterator[ClientConnection]:
    with connect(url) as socket:
        yield socket


def next_of(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while (message := json.loads(socket.recv(timeout=20)))["type"] != kind:
        pass
    return dict(message)


def change_of(socket: ClientConnection, key: str) -> dict[str, Any]:
    while key not in (message := next_of(socket, "change"))["values"]:
        pass
    return message


def test_a_snapshot_comes_first_and_equals_what_is_read(socket: ClientConnection, api: httpx.Client) -> None:
    snapshot = json.loads(socket.recv(timeout=20))
    assert snapshot["type"] == "snapshot"
    assert snapshot["values"].keys() == api.get("/parameters").json()["values"].keys()
    assert snapshot["slots"]["streams.live"] == "streams.1"


def test_a_write_from_anywhere_is_announced(socket: ClientConnection, api: httpx.Client) -> None:
    snapshot = next_of(socket, "snapshot")
    api.put(f"/parameters/{EVERY_NTH}", json={"value": 4})
    change = change_of(socket, EVERY_NTH)
    assert change["values"][EVERY_NTH] == 4
    assert change["epoch"] == snapshot["epoch"]
    assert change["sequence"] > snapshot["sequence"]


def test_every_change_comes_once_and_in_order(socket: ClientConnection, api: httpx.Client) -> None:
    next_of(socket, "snapshot")
    for value in range(2, 60):
        api.put(f"/parameters/{EVERY_NTH}", json={"value": value})
    changes = [change_of(socket, EVERY_NTH) for _ in range(2, 60)]
    assert [change["values"][EVERY_NTH] for change in changes] == list(range(2, 60))
    assert [c["sequence"] for c in changes] == sorted({c["sequence"] for c in changes})


def test_snapshot_and_changes_together_are_the_engines_values(
    url: str, service: Service, api: httpx.Client, plane: FakePlane
) -> None:
    """However a client's joining falls between changes, it misses none."""
    api.post("/commands/engine.start", json={"wait": 10})
    for round_ in range(1, 6):
        with connect(url) as socket:
            plane.receive(round_)
            values = next_of(socket, "snapshot")["values"]
            while values["source.received"] != service.read("source.received").value:
                values.update(next_of(socket, "change")["values"])


def test_a_completion_comes_after_the_state_it_led_to(socket: ClientConnection, api: httpx.Client) -> None:
    next_of(socket, "snapshot")
    given_ = api.post("/commands/engine.start", json={"wait": 10}).json()
    state = change_of(socket, "engine.state")
    completion = next_of(socket, "completion")
    assert state["values"]["engine.state"] == "RUNNING"
    assert (completion["id"], completion["command"], completion["ok"]) == (given_["id"], "engine.start", True)
    assert completion["sequence"] > state["sequence"]


def test_new_names_bring_a_new_snapshot(socket: ClientConnection, api: httpx.Client) -> None:
    next_of(socket, "snapshot")
    api.patch("/config", json={"streams": {"extra": {"address": "tcp://127.0.0.1:19612"}}})
    assert next_of(socket, "snapshot")["slots"]["streams.extra"] == "streams.3"
    api.put("/parameters/streams.extra.every_nth", json={"value": 8})
    assert change_of(socket, "streams.extra.every_nth")["values"]["streams.extra.every_nth"] == 8


def test_a_group_brings_only_its_own(url: str, api: httpx.Client) -> None:
    with connect(f"{url}?group=streams.live") as socket:
        snapshot = next_of(socket, "snapshot")
        api.put("/parameters/streams.preview.every_nth", json={"value": 3})
        api.put(f"/parameters/{EVERY_NTH}", json={"value": 3})
        assert {key.rpartition(".")[0] for key in snapshot["values"]} == {"streams.live"}
        assert list(next_of(socket, "change")["values"]) == [EVERY_NTH]


def test_an_unknown_group_or_engine_closes_with_the_reason(url: str) -> None:
    for wrong in (f"{url}?group=nothing", url.replace("/api/v1", "/api/v1/engines/nobody")):
        with connect(wrong) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404
        assert "there is no" in closed.value.rcvd.reason


def test_a_page_of_another_site_may_not_listen(url: str) -> None:
    with pytest.raises(InvalidStatus):
        connect(url, origin=Origin("http://elsewhere.example"))


def test_what_a_client_sends_disturbs_nothing(socket: ClientConnection, api: httpx.Client) -> None:
    socket.send("hello")
    socket.send(b"\x00\xff")
    next_of(socket, "snapshot")
    api.put(f"/parameters/{EVERY_NTH}", json={"value": 6})
    assert change_of(socket, EVERY_NTH)["values"][EVERY_NTH] == 6


def test_a_client_that_went_away_leaves_nothing_behind(
    url: str, api: httpx.Client, server: HttpServer
) -> None:
    for _ in range(20):
        with connect(url) as socket:
            next_of(socket, "snapshot")
    api.put(f"/parameters/{EVERY_NTH}", json={"value": 6})
    with connect(url) as socket:
        assert next_of(socket, "snapshot")["values"][EVERY_NTH] == 6


class Talkative(Passing):
    """An engine that says what it is told to say."""

    def subscribe(self, callback: Callable[[Event], None]) -> Subscription:
        self.say = callback
        return super().subscribe(callback)


def a_change(sequence: int, values: dict[str, Value]) -> Change:
    return Change("1", sequence, 0.0, values)


def a_completion(sequence: int) -> Completion:
    return Completion("1", sequence, 0.0, str(sequence), "engine.start", True, "")


def taken(events: list[Event], merges: bool = True) -> list[Event | None]:
    """What a client gets that reads nothing until all events are there; None where it is dropped."""
    end = a_completion(len(events) + 1)

    async def read() -> list[Event | None]:
        outbox = Outbox(merges)
        for event in [*events, end]:
            outbox.put(event)
        found: list[Event | None] = []
        while (next_one := await outbox.get()) != end and next_one is not None:
            found.append(next_one)
        return found if next_one == end else [*found, None]

    return asyncio.run(read())


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1), max_size=3 * MERGE_FROM))
def test_a_slow_client_ends_with_the_latest_values(all_values: list[dict[str, Value]]) -> None:
    events: list[Event] = [a_change(number, values) for number, values in enumerate(all_values, 1)]
    got = [event for event in taken(events) if isinstance(event, Change)]
    assert len(got) == min(len(events), MERGE_FROM)
    assert all(event.sequence == len(events) for event in got[-1:])
    final: dict[str, Value] = {}
    for event in got:
        final |= event.values
    expected: dict[str, Value] = {}
    for values in all_values:
        expected |= values
    assert final == expected


def test_a_client_that_does_not_read_gets_the_latest_in_the_end(service: Service) -> None:
    engine = Talkative(service)
    with (
        HttpServer(create_app({"test": engine}), port=0) as server,
        connect(changes_url(server), max_queue=1) as socket,
    ):
        snapshot = next_of(socket, "snapshot")
        said = 2_000
        for number in range(1, said + 1):
            sequence = snapshot["sequence"] + number
            text = f"{number} " + 20_000 * "x"
            engine.say(Change(snapshot["epoch"], sequence, 0.0, {"engine.status": text}))
        got = [next_of(socket, "change")]
        while got[-1]["sequence"] < snapshot["sequence"] + said:
            got.append(next_of(socket, "change"))
        assert got[-1]["values"]["engine.status"].split()[0] == str(said)
        assert len(got) < said


def test_completions_are_never_merged() -> None:
    events: list[Event] = []
    for number in range(1, 2 * MERGE_FROM, 2):
        events += [a_change(number, {"a": number}), a_completion(number + 1)]
    assert taken(events) == events


def test_a_client_that_wants_every_event_gets_every_one_or_is_dropped() -> None:
    events: list[Event] = [a_change(number, {"a": number}) for number in range(1, OUTBOX_LIMIT)]
    assert taken(events, merges=False) == events
    assert taken([*events, *events], merges=False) == [None]


def test_a_websocket_may_ask_for_every_event(service: Service) -> None:
    engine = Talkative(service)
    with (
        HttpServer(create_app({"test": engine}), port=0) as server,
        connect(f"{changes_url(server)}?merge=false", max_queue=1) as socket,
    ):
        snapshot = next_of(socket, "snapshot")
        for number in range(1, 301):
            text = f"{number} " + 20_000 * "x"
            engine.say(Change(snapshot["epoch"], snapshot["sequence"] + number, 0.0, {"engine.status": text}))
        got = [next_of(socket, "change")["values"]["engine.status"].split()[0] for _ in range(300)]
    assert got == [str(number) for number in range(1, 301)]


def test_a_client_with_too_many_completions_waiting_is_dropped() -> None:
    events: list[Event] = [a_completion(number) for number in range(OUTBOX_LIMIT + 1)]
    assert taken(events) == [None]
