"""Sending traces of control calls to a collector, as OpenTelemetry's own variables ask for."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

log = logging.getLogger(__name__)

ASKED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The variables that name a collector (https://opentelemetry.io/docs/specs/otel/protocol/exporter/)."""


@contextmanager
def traced(name: str, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Send the spans of this process, as those of engine `name`, while inside; the last ones at the end."""
    if not any(environment.get(variable) for variable in ASKED_BY):
        yield
        return
    try:
        trace = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        log.warning("no traces are sent: %s is not installed: pip install 'repstream[otel]'", error.name)
        yield
        return
    about = {"service.name": "repstream", "service.instance.id": name}
    provider = sdk.TracerProvider(resource=resources.Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
