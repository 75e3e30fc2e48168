"""The Grafana dashboard against the metrics that a server really has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from repstream.parameters.catalogue import build
from repstream_cli.main import app
from repstream_http import HttpServer, create_app
from repstream_panels.grafana.dashboard import HEIGHT, dashboard
from tests.fakes import running_service

STORED = Path(__file__).parents[2] / "panels/grafana.json"
NAME = re.compile(r"\brepstream_\w+")


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Names of samples and labels that `/metrics` has, by the family's name and its samples' suffixes."""
    with (
        running_service(tmp_path_factory.mktemp("grafana")) as (service, _),
        HttpServer(create_app({"test": service}), port=0) as server,
    ):
        text = httpx.get(f"{server.url}/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.type == "histogram":
            found |= {
                f"{family.name}_{end}": {"engine", "le", "writer"} for end in ("bucket", "sum", "count")
            }
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard(build())["panels"] if panel["type"] != "row"]


def test_every_metric_on_it_exists_with_its_labels(declared: dict[str, set[str]]) -> None:
    asked = 0
    for panel in panels():
        for target in panel["targets"]:
            names = NAME.findall(target["expr"])
            assert names, target["expr"]
            asked += len(names)
            for name in names:
                labels = declared.get(name) or declared.get(f"{name}_total")
                assert name in declared, f"{panel['title']}: {target['expr']}"
                assert labels is not None
                assert (
                    "le" in target["expr"] or set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels
                )
    assert asked > 20


def test_losses_and_latencies_are_on_it() -> None:
    text = json.dumps(panels())
    assert "increase(repstream_stream_dropped_frames_total" in text
    assert "histogram_quantile(0.99, sum by (le) (rate(repstream_writer_flush_duration_seconds_bucket" in text
    assert "repstream_engine_state" in text


def test_no_panel_covers_another() -> None:
    places = [panel["gridPos"] for panel in panels()]
    assert all(place["x"] + place["w"] <= 24 and place["h"] == HEIGHT for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places)
    assert len({panel["id"] for panel in dashboard(build())["panels"]}) == len(dashboard(build())["panels"])


def test_the_stored_one_is_current() -> None:
    assert json.loads(STORED.read_text()) == dashboard(build()), "run `make docs`"


def test_it_is_written_by_a_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["panel", "grafana", str(tmp_path / "d.json")])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "d.json").read_text())["uid"] == "repstream"
