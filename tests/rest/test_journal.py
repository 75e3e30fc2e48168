"""What the server has seen of an engine: figures, acquisitions, log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import httpx
import pytest

from repstream.link.happenings import happened
from repstream.link.history import History
from repstream.parameters.catalogue import build
from repstream.parameters.facts import Value
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.fakes import FakePlane
from tests.waiting import until

ME = Requester("test", "anna", "bl")
Values = dict[str, Value]


def texts(api: httpx.Client) -> list[str]:
    return [f"{e['level']} {e['subject']}: {e['text']}" for e in api.get("/log").json()["entries"]]


def test_an_acquisition_that_has_ended_is_kept_with_its_result(
    api: httpx.Client, service: Service, plane: FakePlane
) -> None:
    service.write({"writers.main.num_images": 4}, ME)
    service.execute("writers.main.start", None, ME)
    plane.receive(4)
    until(lambda: api.get("/acquisitions").json()["acquisitions"])
    (kept,) = api.get("/acquisitions").json()["acquisitions"]
    assert kept["name"] == "main" and kept["acq_result"] == "completed"
    assert kept["num_written"] == 4 and kept["full_file_name"].endswith(".h5")


def test_acquisitions_that_are_kept_already_are_shown(service: Service, tmp_path: Path) -> None:
    kept = tmp_path / "acquisitions.jsonl"
    kept.write_text('{"acquisition_id": "1-1", "name": "main", "acq_result": "completed"}\n')
    with closing(History(service, kept)) as history:
        app = create_app({"test": service}, histories={"test": history})
        with HttpServer(app, port=0) as server:
            found = httpx.get(f"{server.url}/api/v1/acquisitions").json()["acquisitions"]
    assert [a["acquisition_id"] for a in found] == ["1-1"]


def test_the_log_says_what_happened_and_who_did_it(
    api: httpx.Client, service: Service, plane: FakePlane
) -> None:
    service.execute("engine.start", None, ME).wait(10)
    plane.die()
    until(lambda: any("→ ERROR" in text for text in texts(api)))
    found = texts(api)
    assert "info engine: INITIALIZED → RUNNING" in found
    assert any("engine.start" in text and "anna" in text for text in found)
    assert any(text.startswith("error engine: ") and "SIGKILL" in text for text in found)


def test_the_log_can_be_followed(api: httpx.Client, service: Service) -> None:
    service.execute("engine.start", None, ME).wait(10)
    until(lambda: texts(api))
    last = api.get("/log").json()["entries"][-1]["time"]
    assert api.get("/log", params={"after": last}).json()["entries"] == []


def test_the_log_is_filtered(api: httpx.Client, service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 2}, ME)
    service.execute("writers.main.start", None, ME)
    plane.receive(2)
    until(lambda: any("FINISHED" in text for text in texts(api)))
    entries = api.get("/log", params={"subject": "writers"}).json()["entries"]
    (identity,) = {entry["acquisition_id"] for entry in entries}
    assert identity == service.read("writers.main.acquisition_id").value
    assert {entry["subject"] for entry in entries} == {"writers.main"}
    assert api.get("/log", params={"acquisition": identity}).json()["entries"] == entries
    assert api.get("/log", params={"acquisition": identity, "last": 1}).json()["entries"] == entries[-1:]
    assert api.get("/log", params={"level": "error"}).json()["entries"] == []
    assert api.get("/log", params={"level": "loud"}).status_code == 422


def test_figures_are_sampled_by_the_names_of_streams(api: httpx.Client) -> None:
    until(lambda: len(api.get("/history").json()["times"]) > 1)
    kept = api.get("/history").json()
    assert {"source.rate", "streams.live.queue_use", "writers.main.dropped"} <= set(kept["series"])
    assert {len(values) for values in kept["series"].values()} == {len(kept["times"])}


def test_what_is_not_known_is_no_event_but_the_state() -> None:
    known = {p.key: p.default for p in build().parameters.values()}
    known |= {"engine.state": "RUNNING", "engine.losing": True, "engine.locked_by": "anna"}
    known |= {"source.connected": True, "writers.1.acq_state": "FINISHED", "streams.1.dropped": 3}
    lost = dict.fromkeys(known) | {"engine.state": "UNKNOWN"}
    owners = [("engine", 0), ("source", 0), ("streams", 1), ("writers", 1)]
    lines = [line[:2] for owner in owners for line in happened(*owner, lost, known)]
    assert lines == [("error", "RUNNING → UNKNOWN")]


@pytest.mark.parametrize(
    ("owner", "was", "now", "line"),
    [
        (("engine", 0), {}, {"engine.losing": True}, ("warning", "losing frames")),
        (
            ("engine", 0),
            {},
            {"engine.last_command": "start refused: busy", "engine.last_command_by": "test anna"},
            ("warning", "start refused: busy, by test anna"),
        ),
        (
            ("source", 0),
            {"source.missing": 1},
            {"source.missing": 3},
            ("warning", "3 frames missing since the start"),
        ),
        (("source", 0), {"source.missing": 3}, {"source.missing": 0}, None),
        (
            ("source", 0),
            {"source.connected": True},
            {"source.connected": False},
            ("warning", "no detector is connected"),
        ),
        (
            ("streams", 1),
            {},
            {"streams.1.dropped": 1, "streams.1.dropped_reasons": "queue_full 1"},
            ("warning", "1 frame dropped: queue_full 1"),
        ),
        (
            ("writers", 2),
            {"writers.2.acq_state": "ACQUIRING_IMAGES"},
            {
                "writers.2.acq_state": "FAILED",
                "writers.2.acq_result": "failed",
                "writers.2.acq_message": "disk full",
            },
            ("error", "FAILED disk full"),
        ),
        (
            ("writers", 2),
            {"writers.2.space_warning": "full soon"},
            {"writers.2.space_warning": "full soon"},
            None,
        ),
        (("pictures", 1), {}, {"pictures.1.age": 3.0}, None),
    ],
)
def test_a_change_is_a_line_of_the_log(
    owner: tuple[str, int], was: Values, now: Values, line: tuple[str, str] | None
) -> None:
    assert [line[:2] for line in happened(*owner, now, was)] == ([line] if line else [])
