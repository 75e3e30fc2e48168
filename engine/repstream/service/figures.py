"""Reports of the data plane as values of the catalogue: counters, rates, sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repstream.accounting import OutputSnapshot
from repstream.dataplane.control import Report, SourceReport, StreamReport, WriterReport
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.service.waiting import time_left
from repstream.states import AcquisitionState

MOST_PIXELS = 2**31 - 1
"""The largest size of an image that is shown; well compressed, one of more pixels fits into a message."""

RATE_SPAN = 1.0
"""Seconds over which rates are averaged."""


class Rates:
    """Rates from counters that only grow, over about `RATE_SPAN` seconds."""

    def __init__(self) -> None:
        self._marks: dict[str, list[tuple[float, int]]] = {}

    def per_second(self, name: str, count: int, time: float) -> float:
        """Note a count; its rate. A count that fell (a new start) begins anew."""
        marks = self._marks.setdefault(name, [])
        if marks and count < marks[-1][1]:
            marks.clear()
        marks.append((time, count))
        while len(marks) > 2 and marks[1][0] <= time - RATE_SPAN:
            del marks[0]
        (begin, first), (end, last) = marks[0], marks[-1]
        return round((last - first) / (end - begin), 3) if end > begin else 0.0


def values(report: Report, rates: Rates) -> dict[str, Value]:
    """The counters and rates of the input and the streams, by key."""
    found = {key_of(Group.SOURCE, 0, f): v for f, v in _source(report.source, report.time, rates).items()}
    for slot, stream in report.streams.items():
        for field, value in _stream(stream, f"s{slot}", report.time, rates).items():
            found[key_of(Group.STREAM, slot, field)] = value
    return found


def _source(report: SourceReport, time: float, rates: Rates) -> dict[str, Value]:
    ledger = report.ledger
    shape: Sequence[int | None] = (None, None)
    if report.shape is not None and len(report.shape) == 2:
        shape = [min(size, MOST_PIXELS) for size in report.shape]
    return {
        "connected": report.connected,
        "link_problem": report.problem,
        "messages": ledger.messages,
        "received": ledger.frames,
        "received_bytes": ledger.nbytes,
        "malformed": sum(ledger.malformed.values()),
        "malformed_reasons": by_reason(ledger.malformed),
        "other": sum(ledger.other.values()),
        "other_kinds": by_reason(ledger.other),
        "missing": ledger.missing,
        "duplicates": ledger.duplicates,
        "late": ledger.late,
        "resets": ledger.resets,
        "rate": rates.per_second("source", ledger.frames, time),
        "throughput": rates.per_second("source bytes", ledger.nbytes, time) / 1e6,
        "last_frame_id": ledger.last_frame_id,
        "last_frame_time": report.last_time,
        "seen_height": shape[0],
        "seen_width": shape[1],
        "seen_type": report.dtype,
    }


def _output(ledger: OutputSnapshot, use: float, name: str, time: float, rates: Rates) -> dict[str, Value]:
    return {
        "offered": ledger.offered,
        "sent": ledger.sent,
        "skipped": sum(ledger.skipped.values()),
        "skipped_reasons": by_reason(ledger.skipped),
        "dropped": sum(ledger.dropped.values()),
        "dropped_reasons": by_reason(ledger.dropped),
        "queued": ledger.queued,
        "queue_use": min(100.0, round(use, 1)),
        "sent_bytes": ledger.nbytes_sent,
        "rate": rates.per_second(name, ledger.sent, time),
        "throughput": rates.per_second(f"{name} bytes", ledger.nbytes_sent, time) / 1e6,
        "last_frame_id": ledger.last_frame_id,
    }


def _stream(report: StreamReport, name: str, time: float, rates: Rates) -> dict[str, Value]:
    return {
        **_output(report.ledger, report.queue_use, name, time, rates),
        "blocking": report.blocking,
        "clients": report.clients,
        "disconnects": report.disconnects,
    }


def writer_fields(report: WriterReport, time: float, rates: Rates) -> dict[str, Value]:
    """The counters and rates of one acquisition of a writer, by field; `rates` are its own."""
    fields = _output(report.ledger, report.queue_use, "writer", time, rates)
    # Frames that are kept for the next file are not on their way to this one.
    flushing = report.state is AcquisitionState.FLUSHING_IMAGES
    left = report.ledger.queued - report.ledger.kept if flushing else 0
    return {
        **fields,
        "blocking": report.blocking,
        "num_written": report.ledger.sent,
        "num_missing": report.missing,
        "file_size": report.file_size,
        "kept": report.ledger.kept,
        "spilled": report.spilled,
        "disk_rate": round(report.disk_rate / 1e6, 3),
        "disk_wait": round(report.disk_wait, 1),
        "left": left,
        "left_time": time_left(left, fields["rate"]),
    }


_RATES = ("rate", "throughput")
_OF_FRAMES = (Group.SOURCE, Group.STREAM, Group.WRITER)


def without_rates(values: Mapping[str, Value]) -> dict[str, Value]:
    """No value for any rate, where nothing is heard of the frames; `values` is the board's."""
    return {
        key: None
        for key in values
        if key.rpartition(".")[2] in _RATES and key.partition(".")[0] in _OF_FRAMES
    }


def at_rest(values: Mapping[str, Value]) -> dict[str, Value]:
    """All rates at 0, where no frames move; empty slots stay without a value."""
    return {
        key: 0.0
        for key in without_rates(values)
        if key.count(".") == 1 or values[f"{key.rpartition('.')[0]}.name"] is not None
    }


def by_reason(counts: Mapping[str, int]) -> str:
    """``queue 12, shape 3``."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()) if count)


def progress(written: int, requested: int) -> float:
    """Percent of the images asked for; 0 where none were."""
    return round(min(100.0, 100.0 * written / requested), 2) if requested else 0.0
