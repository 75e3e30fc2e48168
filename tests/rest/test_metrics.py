"""Prometheus metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from repstream.dataplane.control import CALL_BOUNDS, CallReport
from repstream.parameters.catalogue import Catalogue, build
from repstream.service.service import Service
from repstream_http.metrics import check_names, metric_name
from tests.fakes import FakePlane
from tests.waiting import until

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


def samples(text: str) -> dict[tuple[str, frozenset[str]], float]:
    """Values by name and label values."""
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def test_counters_follow_the_engine(http: httpx.Client, plane: FakePlane) -> None:
    http.post("/api/v1/commands/engine.start", json={"wait": 10})
    plane.receive(12)
    wanted = {
        ("repstream_source_received_frames_total", frozenset({"test"})): 12,
        ("repstream_stream_sent_frames_total", frozenset({"test", "live"})): 12,
    }
    until(lambda: wanted.items() <= samples(http.get("/metrics").text).items(), "the counters")
    found = samples(http.get("/metrics").text)
    assert found["repstream_up", frozenset({"test"})] == 1


def test_a_state_is_one_of_its_values(http: httpx.Client) -> None:
    found = samples(http.get("/metrics").text)
    assert found["repstream_engine_state", frozenset({"test", "INITIALIZED"})] == 1
    assert found["repstream_engine_state", frozenset({"test", "RUNNING"})] == 0
    assert found["repstream_writer_state", frozenset({"test", "main", "READY"})] == 1


def test_empty_slots_have_no_metrics(http: httpx.Client) -> None:
    labels = {
        sample.labels["stream"]
        for family in parse_text(http.get("/metrics").text)
        for sample in family.samples
        if "stream" in sample.labels
    }
    assert labels == {"live", "preview"}


def test_openmetrics_is_valid_and_carries_units_and_help(http: httpx.Client, service: Service) -> None:
    text = http.get("/metrics", headers=OPENMETRICS).text
    families = {f.name: f for f in parse_openmetrics(text)}  # type: ignore[no-untyped-call]
    received = families["repstream_source_received_frames"]
    assert (received.type, received.unit) == ("counter", "frames")
    assert received.documentation == service.catalogue.parameters["source.received"].text


def test_durations_are_histograms(http: httpx.Client, plane: FakePlane) -> None:
    counts = (3, 1, *[0] * (len(CALL_BOUNDS) - 2), 2)
    plane.calls = {"write": CallReport(seconds=25.5, last=0.002, longest=12.0, counts=counts)}
    http.post("/api/v1/commands/engine.start", json={"wait": 10})
    http.post("/api/v1/commands/writers.main.arm", json={"wait": 10})
    plane.receive(1)
    name = "repstream_writer_write_duration_seconds"

    def parsed() -> dict[str, float]:
        text = http.get("/metrics", headers=OPENMETRICS).text
        (family,) = (f for f in parse_openmetrics(text) if f.name == name)  # type: ignore[no-untyped-call]
        assert (family.type, family.unit) == ("histogram", "seconds")
        return {f"{s.name.removeprefix(name)}{s.labels.get('le', '')}": s.value for s in family.samples}

    until(lambda: "_count" in parsed(), "the durations")
    found = parsed()
    assert (found["_count"], found["_sum"]) == (6, 25.5)
    assert (found["_bucket0.001"], found["_bucket0.0025"], found["_bucket10.0"], found["_bucket+Inf"]) == (
        3,
        4,
        4,
        6,
    )


ABBREVIATED = {"s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"}
NO_BASE_UNITS = {"milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "percent", "bits"}
KINDS = {"gauge", "counter", "histogram", "summary", "untyped"}


def lint(family: Metric) -> Iterator[str]:
    """What `promtool check metrics` would say of a family in the text format."""
    words = family.name.split("_")
    if not family.documentation:
        yield "no help text"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", family.name):
        yield "a name that is not of small letters and _"
    if bad := {*words} & (ABBREVIATED | NO_BASE_UNITS | KINDS):
        yield f"a name with {bad}"
    for sample in family.samples:
        if family.type != "counter" and sample.name.endswith("_total"):
            yield f"a {family.type} called {sample.name}"
        if family.type != "histogram" and sample.name.endswith(("_count", "_sum", "_bucket", "_info")):
            yield f"{sample.name}, which is the name of a part of others"
        if not all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in sample.labels):
            yield f"a label of {[*sample.labels]}"
        if family.type != "histogram" and {"le", "quantile"} & sample.labels.keys():
            yield "a label of histograms"


def test_every_metric_keeps_to_the_conventions(http: httpx.Client, plane: FakePlane) -> None:
    plane.calls = {
        "write": CallReport(seconds=1.0, last=0.1, longest=0.2, counts=(1,) * (len(CALL_BOUNDS) + 1))
    }
    http.post("/api/v1/commands/engine.start", json={"wait": 10})
    http.post("/api/v1/commands/writers.main.arm", json={"wait": 10})
    plane.receive(1)
    until(lambda: "_bucket" in http.get("/metrics").text, "the histograms")
    text = http.get("/metrics").text
    assert [line for line in re.findall(r"# TYPE (\w+) counter", text) if not line.endswith("_total")] == []
    families = list(parse_text(text))
    assert len(families) > 50
    found = {family.name: problems for family in families if (problems := [*lint(family)])}
    assert found == {}


def test_what_breaks_the_conventions_is_found() -> None:
    text = "# TYPE a_ms gauge\na_ms 1\n# HELP c_total x\n# TYPE c_total gauge\n"
    wrong = {family.name: [*lint(family)] for family in parse_text(text + 'c_total{leA="1"} 1\n')}
    assert wrong["a_ms"] == ["no help text", "a name with {'ms'}"]
    assert wrong["c_total"] == ["a gauge called c_total", "a label of ['leA']"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("source.throughput", "repstream_source_throughput_bytes_per_second"),
        ("source.received_bytes", "repstream_source_received_bytes"),
        ("writers.1.free_space", "repstream_writer_free_space_bytes"),
        ("streams.1.queue_use", "repstream_stream_queue_use_ratio"),
        ("engine.losing", "repstream_engine_losing"),
        ("writers.1.write_duration", "repstream_writer_write_duration_seconds"),
    ],
)
def test_names_follow_the_rule(key: str, name: str) -> None:
    catalogue = build()
    assert metric_name(catalogue, catalogue.parameters[key]) == name


def test_values_are_in_base_units(http: httpx.Client, api: httpx.Client) -> None:
    while (told := api.get("/state").json()["writers"]["main"]["free_space"]) is None:
        time.sleep(0.05)
    found = samples(http.get("/metrics").text)
    measured = found["repstream_writer_free_space_bytes", frozenset({"test", "main"})]
    assert measured == pytest.approx(told * 1e9, rel=0.2)


def test_two_parameters_with_one_name_are_refused() -> None:
    catalogue = build()
    received = catalogue.parameters["source.received"]
    twin = msgspec.structs.replace(received, key="source.twin", field="received_frames", unit="")
    with pytest.raises(ValueError, match="both be the metric"):
        check_names(Catalogue(catalogue.groups, {**catalogue.parameters, twin.key: twin}, {}))
