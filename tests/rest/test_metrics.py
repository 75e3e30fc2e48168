"""Prometheus metrics."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest
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
