"""Reading and writing parameters."""

from __future__ import annotations

import httpx
import pytest

from repstream.parameters.catalogue import Catalogue
from repstream.service.service import Service

LIVE = "/parameters/streams.live.every_nth"


def error_of(response: httpx.Response) -> dict[str, object]:
    error: dict[str, object] = response.json()["error"]
    assert set(error) == {"subject", "reason", "allowed"}
    return error


def test_a_key_is_taken_with_name_and_with_slot(api: httpx.Client) -> None:
    by_name, by_slot = api.get(LIVE).json(), api.get("/parameters/streams.1.every_nth").json()
    assert by_name == by_slot
    assert (by_name["key"], by_name["slot_key"]) == ("streams.live.every_nth", "streams.1.every_nth")


def test_a_write_answers_with_the_value_in_force_and_reaches_the_engine(
    api: httpx.Client, service: Service
) -> None:
    answer = api.put(LIVE, json={"value": 7})
    assert (answer.status_code, answer.json()["value"]) == (200, 7)
    assert service.read("streams.live.every_nth").value == 7


def test_the_time_of_a_value_is_the_engines(api: httpx.Client, service: Service) -> None:
    api.put(LIVE, json={"value": 7})
    assert api.get(LIVE).json()["time"] == service.read("streams.live.every_nth").time


def test_plain_curl_without_a_content_type_of_json_works(api: httpx.Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert api.put(LIVE, content='{"value": 3}', headers=form).json()["value"] == 3


@pytest.mark.parametrize("value", [0, -1, "many", None, 1.5, [1], {"a": 1}, 10**30, True])
def test_a_refused_value_is_422_and_changes_nothing(api: httpx.Client, value: object) -> None:
    answer = api.put(LIVE, json={"value": value})
    assert answer.status_code == 422
    assert error_of(answer)["subject"] == "streams.live.every_nth"
    assert api.get(LIVE).json()["value"] == 1


@pytest.mark.parametrize("body", ["", "{", '{"value": NaN}', "value=3", "\xff"])
def test_a_body_that_is_not_json_is_told_apart(api: httpx.Client, body: str) -> None:
    answer = api.put(LIVE, content=body.encode("latin-1"))
    assert answer.status_code == (400 if body else 422)
    assert error_of(answer)["reason"]


@pytest.mark.parametrize("body", [7, [7], {}, {"value": 7, "wait": 1}])
def test_a_body_of_another_shape_says_which_is_wanted(api: httpx.Client, body: object) -> None:
    answer = api.put(LIVE, json=body)
    assert answer.status_code == 422
    assert "must be" in str(error_of(answer)["reason"])


def test_a_body_beyond_all_measure_is_not_read(api: httpx.Client) -> None:
    assert api.put(LIVE, content=b" " * (2 << 20)).status_code == 413


@pytest.mark.parametrize("key", ["engine.state", "streams.live.sent", "streams.7.every_nth"])
def test_what_cannot_be_written_now_is_409(api: httpx.Client, key: str) -> None:
    assert api.put(f"/parameters/{key}", json={"value": 1}).status_code == 409


def test_a_write_that_the_state_forbids_is_409_with_the_states_that_allow_it(api: httpx.Client) -> None:
    api.post("/commands/engine.start", json={"wait": 10})
    answer = api.put("/parameters/source.mode", json={"value": "SUB"})
    assert answer.status_code == 409
    assert "STOPPED" in str(error_of(answer)["allowed"])


def test_an_unknown_key_is_404_with_near_ones(api: httpx.Client) -> None:
    answer = api.get("/parameters/streams.live.every_nht")
    assert answer.status_code == 404
    assert error_of(answer)["allowed"] == ["streams.live.every_nth"]


def test_many_are_written_at_once(api: httpx.Client) -> None:
    wanted = {"streams.live.every_nth": 5, "source.mode": "SUB"}
    answer = api.patch("/parameters", json=wanted)
    assert answer.json()["values"] == wanted


def test_many_are_written_all_or_none(api: httpx.Client) -> None:
    answer = api.patch("/parameters", json={"streams.live.every_nth": 5, "source.mode": "PUSH"})
    assert (answer.status_code, error_of(answer)["subject"]) == (422, "source.mode")
    assert api.get(LIVE).json()["value"] == 1


def test_one_parameter_under_two_keys_is_refused(api: httpx.Client) -> None:
    answer = api.patch("/parameters", json={"streams.live.every_nth": 5, "streams.1.every_nth": 6})
    assert answer.status_code == 422


def test_all_values_come_at_once_with_their_slots(api: httpx.Client, service: Service) -> None:
    answer = api.get("/parameters").json()
    assert len(answer["values"]) == len(service.catalogue.parameters)
    assert answer["slots"]["streams.preview"] == "streams.2"
    assert answer["values"]["streams.preview.mode"] == "PUB"
    assert answer["values"]["streams.8.mode"] is None


@pytest.mark.parametrize("group", ["streams.live", "streams.1"])
def test_values_of_one_group(api: httpx.Client, group: str) -> None:
    values = api.get("/parameters", params={"group": group}).json()["values"]
    assert {key.rpartition(".")[0] for key in values} == {"streams.live"}


@pytest.mark.parametrize("group", ["nothing", "streams.live.every_nth", ""])
def test_a_group_that_does_not_exist_is_404(api: httpx.Client, group: str) -> None:
    answer = api.get("/parameters", params={"group": group})
    assert answer.status_code == (404 if group else 200)


def test_the_catalogue_carries_every_fact(api: httpx.Client, service: Service) -> None:
    catalogue: Catalogue = service.catalogue
    told = {facts["slot_key"]: facts for facts in api.get("/catalogue").json()["parameters"]}
    assert list(told) == list(catalogue.parameters)
    for key, parameter in catalogue.parameters.items():
        facts = told[key]
        assert (facts["minimum"], facts["maximum"]) == (parameter.minimum, parameter.maximum)
        assert facts["unit"] == parameter.unit
        assert tuple(facts["choices"]) == parameter.choices
        assert facts["default"] == parameter.default


def test_a_64_bit_integer_arrives_exactly(api: httpx.Client) -> None:
    assert api.get("/parameters/source.received").json()["maximum"] == 2**64 - 1


def test_who_asks_is_told_to_the_engine(api: httpx.Client) -> None:
    api.post("/commands/engine.reset", headers={"x-requested-by": "alice"})
    assert api.get("/parameters/engine.last_command_by").json()["value"] == "http alice@127.0.0.1"
    api.post("/commands/engine.reset", auth=("bob", "any"))
    assert api.get("/parameters/engine.last_command_by").json()["value"] == "http bob@127.0.0.1"


def test_somebody_elses_lock_is_409(api: httpx.Client) -> None:
    api.post("/commands/engine.lock", headers={"x-requested-by": "alice"})
    answer = api.put(LIVE, json={"value": 2}, headers={"x-requested-by": "bob"})
    assert answer.status_code == 409
    assert "alice" in str(error_of(answer)["reason"])
