"""Giving commands and following them, state, and the configuration."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.fakes import FakePlane

START = "/commands/writers.main.start"


def wait_until_gate_is_open(api: httpx.Client) -> None:
    while api.get("/parameters/writers.main.gate").json()["value"] != "open":
        time.sleep(0.01)


def test_a_command_without_a_body_is_given_and_not_waited_for(api: httpx.Client) -> None:
    answer = api.post(START)
    assert answer.status_code == 202
    assert answer.json() | {"id": ""} == {
        "id": "",
        "command": "writers.main.start",
        "done": False,
        "ok": None,
        "message": "taken; it goes on",
        "result": "",
        "acquisition_id": "",
    }


def test_a_command_is_followed_to_its_end(api: httpx.Client, plane: FakePlane) -> None:
    api.put("/parameters/writers.main.num_images", json={"value": 5})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.post, START, json={"wait": 30})
        wait_until_gate_is_open(api)
        plane.receive(5)
        assert (answer.result().status_code, answer.result().json()["ok"]) == (200, True)
        held = api.get("/parameters?group=writers.main").json()["values"]
        assert answer.result().json()["result"] == held["writers.main.start_result"] == "completed"
        assert answer.result().json()["acquisition_id"] == held["writers.main.start_id"] != ""


@pytest.mark.parametrize(
    ("end", "result"),
    [("writers.main.stop", "interrupted"), ("engine.stop", "interrupted"), ("writers.main.abort", "aborted")],
)
@pytest.mark.parametrize("images", [10, 0])
def test_an_acquisition_that_another_ended_early_is_424_for_who_started_it(
    api: httpx.Client, plane: FakePlane, end: str, result: str, images: int
) -> None:
    api.put("/parameters/writers.main.num_images", json={"value": images})
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(api.post, START, json={"wait": 30})
        wait_until_gate_is_open(api)
        plane.receive(4)
        assert api.post(f"/commands/{end}", json={"wait": 30}).status_code == 200
        answer = started.result()
    held = api.get("/parameters/writers.main.start_result").json()
    if result == "interrupted" and images == 0:
        assert (answer.status_code, answer.json()["result"], held["value"]) == (200, "completed", "completed")
        return
    assert (answer.status_code, held["value"]) == (424, result)
    assert result in answer.json()["error"]["reason"]
    if result == "interrupted":
        assert "4 of 10 images" in answer.json()["error"]["reason"]
        assert held["severity"] == "minor"
    else:
        assert held["severity"] == "none"


def test_a_wait_that_is_over_does_not_end_the_command(api: httpx.Client) -> None:
    assert api.post(START, json={"wait": 0.05}).status_code == 202
    assert api.get("/state").json()["writers"]["main"]["state"] == "WRITING"


def test_a_command_that_fails_after_it_was_taken_is_500(api: httpx.Client, plane: FakePlane) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.post, START, json={"wait": 30})
        wait_until_gate_is_open(api)
        plane.fail(1, "No space left on device")
        assert answer.result().status_code == 500
    assert "No space left on device" in answer.result().json()["error"]["reason"]


def test_a_command_that_the_state_forbids_is_409_with_the_states(api: httpx.Client) -> None:
    answer = api.post("/commands/writers.main.flush")
    assert answer.status_code == 409
    assert answer.json()["error"]["allowed"] == ["WRITING"]


@pytest.mark.parametrize("key", ["engine.explode", "writers.other.start", "streams.live.start", "start"])
def test_an_unknown_command_is_404(api: httpx.Client, key: str) -> None:
    assert api.post(f"/commands/{key}").status_code == 404


@pytest.mark.parametrize(
    "body", [{"argument": -1}, {"argument": [3]}, {"wait": "long"}, {"wait": -1}, {"wait": True}, {"arg": 3}]
)
def test_a_wrong_argument_or_wait_is_422_and_starts_nothing(api: httpx.Client, body: object) -> None:
    assert api.post(START, json=body).status_code == 422
    assert api.get("/state").json()["writers"]["main"]["state"] == "READY"


def test_commands_tell_their_arguments(api: httpx.Client) -> None:
    commands = {command["key"]: command for command in api.get("/commands").json()}
    assert commands["writers.main.start"]["argument"]["type"] == ["integer", "null"]
    assert commands["engine.configure"]["argument"]["type"] == "string"
    assert commands["engine.stop"]["argument"] is None


def test_state_shows_source_streams_and_writers_by_name(api: httpx.Client, plane: FakePlane) -> None:
    api.post("/commands/engine.start", json={"wait": 10})
    plane.receive(3)
    state = api.get("/state").json()
    assert (state["engine"], state["state"]) == ("test", "RUNNING")
    assert list(state["streams"]) == ["live", "preview"]
    assert state["writers"]["main"]["acq_state"] == "NONE"


def test_a_configuration_read_can_be_put_back(api: httpx.Client) -> None:
    whole = api.get("/config").json()
    assert api.put("/config", json=whole).json() == whole


def test_a_whole_configuration_removes_what_it_does_not_name(api: httpx.Client) -> None:
    api.put("/parameters/streams.live.every_nth", json={"value": 9})
    answer = api.put("/config", json={"streams": {"live": {"address": "tcp://127.0.0.1:19610"}}})
    assert answer.status_code == 200
    assert list(answer.json()["streams"]) == ["live"]
    assert answer.json()["writers"] == {}
    assert answer.json()["streams"]["live"]["every_nth"] == 1


def test_a_part_of_a_configuration_keeps_the_rest(api: httpx.Client) -> None:
    part = {"streams": {"live": {"every_nth": 9}, "preview": None}}
    answer = api.patch("/config", json=part).json()
    assert list(answer["streams"]) == ["live"]
    assert answer["streams"]["live"]["every_nth"] == 9
    assert list(answer["writers"]) == ["main"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("tree", [{"streams": {"live": {"every_nth": 0}}}, {"streams": 3}, {"sauce": {}}])
def test_a_wrong_configuration_is_422_and_changes_nothing(
    api: httpx.Client, method: str, tree: object
) -> None:
    before = api.get("/config").json()
    assert api.request(method, "/config", json=tree).status_code == 422
    assert api.get("/config").json() == before


def test_a_configuration_that_the_state_forbids_is_409(api: httpx.Client) -> None:
    api.post("/commands/engine.start", json={"wait": 10})
    assert api.patch("/config", json={"source": {"mode": "SUB"}}).status_code == 409
