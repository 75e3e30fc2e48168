"""Instances, their figures and their logs in cam_server's shapes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from repstream.instances.description import InstanceInfo, LogRecord, Statistics

START_TIME = "%Y-%m-%d %H:%M:%S UTC%z"
LOG_TIME = "%Y-%m-%d %H:%M:%S"
LOG_SEPARATOR = " - "

LogLine = list[str]


def info(instance: InstanceInfo) -> dict[str, Any]:
    """The info of an instance; `message`, `lost` and `skipped` are ours, empty where all is well."""
    found: dict[str, Any] = {
        "stream_address": instance.stream_address,
        "is_stream_active": instance.is_stream_active,
        "camera_name": instance.camera_name,
        "last_start_time": datetime.fromtimestamp(instance.started, UTC).strftime(START_TIME),
        "config": instance.config,
        "statistics": statistics(instance.statistics),
        "message": instance.message,
    }
    if instance.kind == "camera":
        geometry = instance.camera_geometry
        found["camera_geometry"] = None if geometry is None else list(geometry)
    else:
        found["instance_id"] = instance.name
        found["read_only"] = instance.read_only
    return found


def statistics(figures: Statistics) -> dict[str, Any]:
    """The figures of an instance; an empty `frame_shape` before the first image."""
    shape, more = figures.frame_shape, figures.more_clients
    return {
        "total_bytes": figures.total_bytes,
        "clients": figures.clients if more is None else f"{figures.clients} + {more}",
        "throughput": figures.throughput,
        "time": datetime.now().strftime("%H:%M:%S"),
        "rx": _rate(figures.rx_rate, figures.rx_count),
        "tx": _rate(figures.tx_rate, figures.tx_count),
        "pid": str(figures.process_id),
        "cpu": figures.cpu,
        "memory": figures.memory,
        "header_changes": figures.header_changes,
        "frame_shape": "" if shape is None else "x".join(map(str, shape)),
        "lost": figures.lost,
        "skipped": figures.skipped,
    }


def flat(instance: InstanceInfo) -> dict[str, Any]:
    """The info without the configuration, its figures beside the rest."""
    found = info(instance)
    figures = found.pop("statistics")
    del found["config"]
    return {**found, **figures}


def log_lines(records: Iterable[LogRecord]) -> list[LogLine]:
    """Log records as [time, logger, level, text]."""
    return [[_log_time(record.time), record.logger, record.level, record.text] for record in records]


def log_text(lines: Iterable[LogLine]) -> str:
    """The same as plain text."""
    return "\n".join(LOG_SEPARATOR.join(line) for line in lines)


def _log_time(time: float) -> str:
    return f"{datetime.fromtimestamp(time).strftime(LOG_TIME)},{int(time % 1 * 1000):03d}"


def _rate(rate: float, count: int) -> str:
    return f"{rate:.2f}Hz - {count}"
