"""Control calls as spans, and what a collector gets from `repstream serve`."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
from tests.cli.running import started
from tests.fakes import FakePlane, running_service
from tests.ports import free_port
from tests.waiting import until

import repstream
from repstream.errors import Refused
from repstream.protocol import Requester
from repstream.service.service import Service

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
collector = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

ANNA = Requester("test", "anna", "bl7")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Service, FakePlane]]:
    with running_service(tmp_path) as service_and_plane:
        yield service_and_plane


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> memory.InMemorySpanExporter:
    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_a_write_says_who_and_what(
    running: tuple[Service, FakePlane], spans: memory.InMemorySpanExporter
) -> None:
    running[0].write({"streams.live.every_nth": 3}, ANNA)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code) == ("write", trace.StatusCode.UNSET)
    assert span.attributes == {
        "repstream.front_end": "test",
        "repstream.user": "anna",
        "repstream.host": "bl7",
        "repstream.values": "streams.live.every_nth = 3",
    }


def test_a_command_lasts_until_its_end(
    running: tuple[Service, FakePlane], spans: memory.InMemorySpanExporter
) -> None:
    service, plane = running
    service.write({"writers.main.num_images": 2}, ANNA)
    spans.clear()
    handle = service.execute("writers.main.start", None, ANNA)
    assert not spans.get_finished_spans()
    plane.receive(2)
    completion = handle.wait(30)
    until(spans.get_finished_spans, "the end of the span")
    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code) == ("writers.main.start", trace.StatusCode.OK)
    assert span.attributes["repstream.acquisition_id"] == completion.acquisition_id != ""


def test_a_refusal_is_an_error_with_its_words(
    running: tuple[Service, FakePlane], spans: memory.InMemorySpanExporter
) -> None:
    with pytest.raises(Refused):
        running[0].write({"streams.live.every_nth": 0}, ANNA)
    (span,) = spans.get_finished_spans()
    assert span.status.status_code == trace.StatusCode.ERROR
    assert "must be a whole number from 1" in span.status.description


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what OTLP sends."""

    received: Queue[bytes]

    def do_POST(self) -> None:
        self.received.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_collector_gets_the_spans_of_serve(tmp_path: Path) -> None:
    received: Queue[bytes] = Queue()
    handler = type("Here", (Collector,), {"received": received})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"tcp://127.0.0.1:{free_port()}"
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        options = ("--engine-address", address, "--no-tango", "--no-epics", "--no-http", "--root", tmp_path)
        with started("serve", *options, "--name", "bl7", environment=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "serving" in line:
                    break
            with repstream.Client(address, timeout=20) as client:
                client.source.io_threads = 3
        server.shutdown()
    sent = collector.ExportTraceServiceRequest.FromString(received.get(timeout=1)).resource_spans[0]
    about = {attribute.key: attribute.value.string_value for attribute in sent.resource.attributes}
    assert (about["service.name"], about["service.instance.id"]) == ("repstream", "bl7")
    assert [span.name for span in sent.scope_spans[0].spans] == ["write"]
