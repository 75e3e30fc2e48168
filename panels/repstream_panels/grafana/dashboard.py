"""A Grafana dashboard of the metrics, made from the declaration of the parameters.

What is on it is chosen by the facts of the parameters, never by their names: losses in a row that should
stay at zero, rates and queues of each group, and the durations that are declared as histograms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.facts import Format, Kind, Role
from repstream_http.metrics import UP, metric_name

SOURCE = "${source}"
UNITS = {
    "seconds": "s",
    "bytes": "bytes",
    "ratio": "percentunit",
    "hertz": "hertz",
    "bytes_per_second": "Bps",
}
"""Unit at the end of a metric's name -> Grafana's."""

WIDTH, HEIGHT = 24, 8
SHOWN = ("Hz", "MB/s", "%")
"""Units of what is drawn for every group: rates, data rates, how full something is."""

Panel = dict[str, Any]


def dashboard(catalogue: Catalogue) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels: list[Panel] = []
    for title, row in (("Now", list(_now(catalogue))), *_groups(catalogue)):
        if row:
            top = max((p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels), default=0)
            panels += [_row(title, top), *_placed(row, top + 1)]
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    return {
        "uid": "repstream",
        "title": "repstream",
        "tags": ["detector", "repstream"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [_variable_of_source(), _variable_of_engine()]},
        "panels": panels,
    }


def write(path: Path, catalogue: Catalogue) -> None:
    """Write it to a file."""
    path.write_text(json.dumps(dashboard(catalogue), indent=2) + "\n", encoding="utf-8")


def _now(catalogue: Catalogue) -> Iterator[Panel]:
    yield _panel("stat", "Reachable", [(f'{UP}{{engine=~"$engine"}}', "{{engine}}")])
    for parameter in _first_of_each(catalogue):
        name = metric_name(catalogue, parameter)
        if parameter.role is Role.STATE:
            legend = f"{_who(catalogue, parameter)} {{{{{parameter.field}}}}}"
            title = f"{parameter.title}: {catalogue.groups[parameter.group].singular}"
            yield _panel("stat", title, [(f'{name}{{engine=~"$engine"}} == 1', legend)])


def _groups(catalogue: Catalogue) -> Iterator[tuple[str, list[Panel]]]:
    for group in catalogue.groups:
        chosen = [p for p in _first_of_each(catalogue) if p.group == group]
        yield group.capitalize(), [panel for p in chosen for panel in _of(catalogue, p)]


def _of(catalogue: Catalogue, parameter: Parameter) -> Iterator[Panel]:
    name, who = metric_name(catalogue, parameter), _who(catalogue, parameter)
    selected = f'{name}{{engine=~"$engine"}}'
    if parameter.format is Format.HISTOGRAM:
        of = f'sum by (le) (rate({name}_bucket{{engine=~"$engine"}}[$__rate_interval]))'
        queries = [(f"histogram_quantile({q}, {of})", f"{100 * q:g} %") for q in (0.5, 0.95, 0.99)]
        yield _panel("timeseries", parameter.title, queries, name)
    elif parameter.loss:
        total = f'{name}{"_total" if parameter.counter else ""}{{engine=~"$engine"}}'
        query = f"increase({total}[$__rate_interval])" if parameter.counter else total
        yield _panel("timeseries", f"{parameter.title} (a loss)", [(query, who)], name, alert=True)
    elif parameter.kind is Kind.FLOAT and parameter.unit in SHOWN:
        yield _panel("timeseries", parameter.title, [(selected, who)], name)


def _first_of_each(catalogue: Catalogue) -> Iterator[Parameter]:
    """What has a metric, once for all slots."""
    for parameter in catalogue.parameters.values():
        if parameter.slot <= 1 and not parameter.writable:
            yield parameter


def _who(catalogue: Catalogue, parameter: Parameter) -> str:
    singular = catalogue.groups[parameter.group].singular
    return f"{{{{engine}}}} {{{{{singular}}}}}" if parameter.slot else "{{engine}}"


def _panel(
    kind: str, title: str, queries: Sequence[tuple[str, str]], metric: str = "", *, alert: bool = False
) -> Panel:
    unit = next((u for end, u in UNITS.items() if metric.endswith(f"_{end}")), "short")
    defaults: dict[str, Any] = {"unit": unit, "min": 0}
    if alert:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": 0.5}]
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
    datasource = {"type": "prometheus", "uid": SOURCE}
    return {
        "type": kind,
        "title": title,
        "datasource": datasource,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": datasource, "expr": expression, "legendFormat": legend}
            for n, (expression, legend) in enumerate(queries)
        ],
    }


def _row(title: str, top: int) -> Panel:
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": _place(0, top, WIDTH, 1),
    }


def _placed(panels: Sequence[Panel], top: int) -> Iterator[Panel]:
    width = WIDTH // 3
    for number, panel in enumerate(panels):
        place = _place(width * (number % 3), top + HEIGHT * (number // 3), width, HEIGHT)
        yield {**panel, "gridPos": place}


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _variable_of_source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable_of_engine() -> dict[str, Any]:
    return {
        "name": "engine",
        "label": "Engine",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": SOURCE},
        "query": f"label_values({UP}, engine)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }
