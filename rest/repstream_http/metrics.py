"""Prometheus metrics, made from the catalogue by rule.

Every read-only number is a metric ``repstream_<group>_<field>_<unit>``: a counter (``_total``) where
it is declared as one, else a gauge. A choice is one gauge for each of its values, 1 for the one
it has, and what is declared as a histogram is one. Units are Prometheus' base units. Source of the rules:
https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.facts import Format, Kind, Value
from repstream.protocol import Engine
from repstream_http.projection import View

PREFIX = "repstream"
UP = f"{PREFIX}_up"
"""The metric that says whether an engine can be reached."""

BASE_UNITS: Mapping[str, tuple[str, float]] = {
    "s": ("seconds", 1),
    "Hz": ("hertz", 1),
    "%": ("ratio", 0.01),
    "B": ("bytes", 1),
    "MiB": ("bytes", 2**20),
    "GB": ("bytes", 1e9),
    "MB/s": ("bytes_per_second", 1e6),
}
"""Unit of the catalogue -> base unit and factor; any other unit is a word and stays."""


class EngineCollector(Collector):
    """The metrics of several engines at the moment that they are asked for."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines
        for engine in engines.values():
            check_names(engine.catalogue)

    def collect(self) -> Iterator[Metric]:
        views = [View(name, engine) for name, engine in self._engines.items()]
        reachable = GaugeMetricFamily(UP, "Whether the engine can be reached.", labels=["engine"])
        for view in views:
            reachable.add_metric([view.name], float(view.reachable))
        yield reachable
        families: dict[str, Metric] = {}
        for view in views:
            for parameter, labels in _occupied(view):
                name = metric_name(view.catalogue, parameter)
                _add(families, name, parameter, labels, view.snapshot.values[parameter.key])
        yield from families.values()


def exposition(engines: Mapping[str, Engine], accept: str) -> tuple[bytes, str]:
    """Metrics as text, and its content type: OpenMetrics where `accept` asks for it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(EngineCollector(engines))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def metric_name(catalogue: Catalogue, parameter: Parameter) -> str:
    """The name without ``_total``: ``repstream_stream_sent_frames``."""
    name = f"{PREFIX}_{catalogue.groups[parameter.group].singular}_{parameter.field}"
    unit, _ = BASE_UNITS.get(parameter.unit, (parameter.unit, 1))
    return name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"


def check_names(catalogue: Catalogue) -> None:
    """Raise `ValueError` where two parameters of a group would share a name."""
    seen: dict[tuple[str, int], str] = {}
    for parameter in filter(_measured, catalogue.parameters.values()):
        name = metric_name(catalogue, parameter)
        other = seen.setdefault((name, parameter.slot), parameter.key)
        if other != parameter.key:
            raise ValueError(f"{other} and {parameter.key} would both be the metric {name}")


def _measured(parameter: Parameter) -> bool:
    if parameter.format is Format.HISTOGRAM:
        return True
    return not parameter.writable and parameter.kind is not Kind.TEXT


def _occupied(view: View) -> Iterator[tuple[Parameter, dict[str, str]]]:
    groups = view.catalogue.groups
    names = {(group, slot): name for group in groups for name, slot in view.names.occupied(group).items()}
    for parameter in filter(_measured, view.catalogue.parameters.values()):
        labels = {"engine": view.name}
        if parameter.slot:
            if (parameter.group, parameter.slot) not in names:
                continue
            labels[groups[parameter.group].singular] = names[parameter.group, parameter.slot]
        yield parameter, labels


def _add(
    families: dict[str, Metric], name: str, parameter: Parameter, labels: dict[str, str], value: Value
) -> None:
    if value is None:
        return
    family = families.get(name)
    if family is None:
        family = families[name] = _family(name, parameter, labels)
    if parameter.kind is Kind.CHOICE:
        for choice in parameter.choices:
            family.add_sample(name, {**labels, parameter.field: choice}, float(choice == value))
        return
    if parameter.format is Format.HISTOGRAM:
        if value:
            _add_histogram(family, name, labels, json.loads(str(value)))
        return
    suffix = "_total" if parameter.counter else ""
    family.add_sample(f"{name}{suffix}", labels, _scaled(parameter, value))


def _add_histogram(family: Metric, name: str, labels: dict[str, str], times: Mapping[str, Any]) -> None:
    for bound, count in times["le"].items():
        family.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{name}_count", labels, times["count"])
    family.add_sample(f"{name}_sum", labels, times["sum"])


def _family(name: str, parameter: Parameter, labels: Iterable[str]) -> Metric:
    unit, _ = BASE_UNITS.get(parameter.unit, (parameter.unit, 1))
    if parameter.format is Format.HISTOGRAM:
        return HistogramMetricFamily(name, parameter.text, unit=unit)
    kind = CounterMetricFamily if parameter.counter else GaugeMetricFamily
    return kind(name, parameter.text, unit=unit)


def _scaled(parameter: Parameter, value: Value) -> float:
    _, factor = BASE_UNITS.get(parameter.unit, (parameter.unit, 1))
    return float(value or 0) * factor
