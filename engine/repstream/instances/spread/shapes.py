"""What a server with cam_server's REST interface says of its instances, read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from repstream.errors import InstanceEnded, InstanceReadOnly, InstanceRuns, Refused, UnknownInstance
from repstream.instances.description import InstanceInfo, Kind, LogRecord, Statistics

START_TIME = "%Y-%m-%d %H:%M:%S UTC%z"
LOG_TIME = "%Y-%m-%d %H:%M:%S,%f"

_ENDED = re.compile(r"instance  ?terminated\. See logs\.\s*(.*)", re.DOTALL)


def instance(kind: Kind, name: str, info: Mapping[str, Any]) -> InstanceInfo:
    """The info of an instance; what is missing, as with servers of the original, is as before it is known."""
    config = info.get("config")
    size = info.get("camera_geometry")
    return InstanceInfo(
        name=name,
        kind=kind,
        stream_address=str(info.get("stream_address") or ""),
        input_address="",
        is_stream_active=bool(info.get("is_stream_active", True)),
        started=_time(str(info.get("last_start_time") or ""), START_TIME),
        config=dict(config) if isinstance(config, Mapping) else {},
        camera_name=str(info.get("camera_name") or ""),
        read_only=bool(info.get("read_only")),
        camera_geometry=(int(size[0]), int(size[1])) if isinstance(size, list) and len(size) == 2 else None,
        statistics=statistics(info.get("statistics") or {}),
        message=str(info.get("message") or ""),
    )


def statistics(figures: Mapping[str, Any]) -> Statistics:
    """The figures of an instance."""
    clients, _, more = str(figures.get("clients") or "0").partition(" + ")
    (rx_rate, rx_count), (tx_rate, tx_count) = _rate(figures.get("rx")), _rate(figures.get("tx"))
    return Statistics(
        clients=int(_number(clients)),
        more_clients=int(_number(more)) if more else None,
        rx_rate=rx_rate,
        rx_count=rx_count,
        tx_rate=tx_rate,
        tx_count=tx_count,
        throughput=_number(figures.get("throughput")),
        total_bytes=int(_number(figures.get("total_bytes"))),
        process_id=int(_number(figures.get("pid"))),
        cpu=_number(figures.get("cpu")),
        memory=int(_number(figures.get("memory"))),
        header_changes=int(_number(figures.get("header_changes"))),
        frame_shape=_shape(str(figures.get("frame_shape") or "")),
        lost=_counts(figures.get("lost")),
        skipped=_counts(figures.get("skipped")),
    )


def log_records(lines: Any) -> list[LogRecord]:
    """Log lines, [time, logger, level, text] each."""
    found = [tuple(map(str, line)) for line in lines if isinstance(line, list) and len(line) == 4]
    return [LogRecord(_time(when, LOG_TIME), logger, level, text) for when, logger, level, text in found]


def error(name: str, status: str) -> Exception:
    """What a refusal means, by the words that it has at every server of this kind."""
    if status == f"Instance '{name}' does not exist.":
        return UnknownInstance(name, "its server has none of this name")
    if status == "Cannot set config on a read only instance.":
        return InstanceReadOnly(name, "it is shared with others, so nobody may change its configuration")
    if status.startswith(f"Instance with id '{name}' is already present and running."):
        return InstanceRuns(name, "one of this name runs: stop it or take another name")
    if (ended := _ENDED.search(status)) is not None:
        return InstanceEnded(name, ended[1] or "see its log")
    return Refused(name, status)


def _rate(text: Any) -> tuple[float, int]:
    """``11.58Hz - 20``: messages a second, and how many there were."""
    rate, _, count = str(text or "").partition("Hz - ")
    return _number(rate), int(_number(count))


def _shape(text: str) -> tuple[int, int, int] | None:
    with suppress(ValueError):
        width, height, size = map(int, text.split("x"))
        return width, height, size
    return None


def _counts(given: Any) -> dict[str, int]:
    return {str(key): int(_number(n)) for key, n in given.items()} if isinstance(given, Mapping) else {}


def _number(given: Any) -> float:
    with suppress(TypeError, ValueError):
        return float(given)
    return 0.0


def _time(text: str, form: str) -> float:
    with suppress(ValueError):
        return datetime.strptime(text, form).timestamp()
    return 0.0
