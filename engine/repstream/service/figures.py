"""Reports of the data plane as what the engine says about itself: counters and rates. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate

from repstream.accounting import OutputSnapshot
from repstream.dataplane.control import (
    CALL_BOUNDS,
    CallReport,
    ReceiverReport,
    SourceReport,
    StreamReport,
    WriterReport,
)
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.output_status import Losses, OutputStatus, StreamStatus
from repstream.parameters.status import SourceStatus
from repstream.parameters.writer_status import AcquisitionStatus, CallStatus, WriterStatus
from repstream.service.waiting import time_left
from repstream.states import is_flushing

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


def count_source(status: SourceStatus, report: SourceReport, time: float, rates: Rates) -> None:
    """Enter the counters and rates of the input."""
    ledger = report.ledger
    status.connected = report.connected
    status.link_problem = report.problem
    status.receivers_now = "; ".join(
        _receiver(number, receiver, time, rates) for number, receiver in enumerate(report.receivers, 1)
    )
    status.denied = report.denied
    status.messages = ledger.messages
    status.received = ledger.frames
    status.received_bytes = ledger.nbytes
    status.malformed = sum(ledger.malformed.values())
    status.malformed_reasons = by_reason(ledger.malformed)
    status.other = sum(ledger.other.values())
    status.other_kinds = by_reason(ledger.other)
    status.missing = ledger.missing
    status.duplicates = ledger.duplicates
    status.late = ledger.late
    status.resets = ledger.resets
    status.rate = rates.per_second("source", ledger.frames, time)
    status.throughput = rates.per_second("source bytes", ledger.nbytes, time) / 1e6
    status.last_frame_id = ledger.last_frame_id
    status.last_frame_time = report.last_time
    status.seen_height = status.seen_width = None
    if report.shape is not None and len(report.shape) == 2:
        status.seen_height, status.seen_width = (min(size, MOST_PIXELS) for size in report.shape)
    status.seen_type = report.dtype


def _receiver(number: int, report: ReceiverReport, time: float, rates: Rates) -> str:
    rate = rates.per_second(f"receiver {number}", report.frames, time)
    process = f"process {report.process_id}" if report.process_id else "not there"
    if report.is_mute:
        process += " does not answer"
    return f"{number}: {process}, {report.frames} frames, {rate:.1f} Hz"


def count_stream(status: StreamStatus, report: StreamReport, name: str, time: float, rates: Rates) -> None:
    """Enter the counters and rates of a stream; `name` is that of its rates."""
    _count_output(status, report.ledger, name, time, rates)
    _count_losses(status, report.ledger)
    status.queue_use = _percent(report.queue_use)
    status.blocking = report.blocking
    status.clients = report.clients
    status.disconnects = report.disconnects
    status.denied = report.denied


def count_writer(
    status: WriterStatus, newest: AcquisitionStatus, report: WriterReport, time: float, rates: Rates
) -> None:
    """Enter the counters and rates of a writer and its newest acquisition; `rates` are its own."""
    _count_output(status, report.ledger, "writer", time, rates)
    _count_losses(newest, report.ledger)
    status.queue_use = _percent(report.queue_use)
    status.blocking = report.blocking
    status.kept = report.ledger.kept
    status.spilled = report.spilled
    status.disk_rate = round(report.disk_rate / 1e6, 3)
    status.disk_wait = round(report.disk_wait, 1)


def count_acquisition(status: AcquisitionStatus, report: WriterReport, time: float, rates: Rates) -> None:
    """Enter the counters of an acquisition and its file; `rates` are those of its writer then."""
    _count_losses(status, report.ledger)
    status.num_written = report.ledger.sent
    status.num_missing = report.missing
    status.file_size = report.file_size
    # Frames that are kept for the next file are not on their way to this one.
    flushing = is_flushing(report.state)
    status.left = report.ledger.queued - report.ledger.kept if flushing else 0
    status.left_time = time_left(status.left, rates.per_second("writer", report.ledger.sent, time))


def call_status(report: CallReport) -> CallStatus:
    """What is shown of one kind of call."""
    count = sum(report.counts)
    bounds = (*map(str, CALL_BOUNDS), "+Inf")
    upto = dict(zip(bounds, accumulate(report.counts), strict=True))
    histogram = {"count": count, "sum": round(report.seconds, 6), "le": upto}
    return CallStatus(
        last=round(report.last, 6),
        mean=round(report.seconds / count, 6) if count else 0.0,
        longest=round(report.longest, 6),
        duration=json.dumps(histogram, separators=(",", ":")),
    )


def died(output: OutputStatus, losses: Losses) -> None:
    """The data plane has died, and what waited for this output with it: that is lost, as last reported."""
    lost_with_it(losses, output.queued)
    output.queued, output.queue_use, output.blocking = 0, 0.0, False


def lost_with_it(losses: Losses, frames: int) -> None:
    """Enter frames that were lost with the data plane."""
    if frames:
        losses.dropped += frames
        losses.dropped_reasons = ", ".join(filter(None, (losses.dropped_reasons, f"died {frames}")))


def _count_output(status: OutputStatus, ledger: OutputSnapshot, name: str, time: float, rates: Rates) -> None:
    status.offered = ledger.offered
    status.sent = ledger.sent
    status.skipped = sum(ledger.skipped.values())
    status.skipped_reasons = by_reason(ledger.skipped)
    status.queued = ledger.queued
    status.sent_bytes = ledger.nbytes_sent
    status.rate = rates.per_second(name, ledger.sent, time)
    status.throughput = rates.per_second(f"{name} bytes", ledger.nbytes_sent, time) / 1e6
    status.last_frame_id = ledger.last_frame_id


def _count_losses(status: Losses, ledger: OutputSnapshot) -> None:
    status.dropped = sum(ledger.dropped.values())
    status.dropped_reasons = by_reason(ledger.dropped)


def _percent(use: float) -> float:
    return min(100.0, round(use, 1))


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
