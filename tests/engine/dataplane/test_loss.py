"""Losses as sentences for the log."""

from __future__ import annotations

import msgspec

from repstream.accounting import InputLedger, OutputLedger
from repstream.dataplane.control import Report, SourceReport, StreamReport
from repstream.dataplane.loss import LossLog


def report(time: float, malformed: int = 0, missing: int = 0, dropped: int = 0) -> Report:
    received, sent = InputLedger(), OutputLedger()
    for _ in range(malformed):
        received.book_malformed("json", 1)
    for _ in range(dropped):
        sent.book_dropped("queue")
    ledger = msgspec.structs.replace(received.snapshot(), missing=missing)
    source = SourceReport(ledger, connected=True, last_time=None, shape=None, dtype=None)
    stream = StreamReport(sent.snapshot(), queue_use=0.0, clients=0, disconnects=0, blocking=False)
    return Report(time, source, {1: stream}, {}, losses=0)


def sentences(log: LossLog, report: Report, final: bool = False) -> list[str]:
    return [note.message for note in log.notes(report, "json: no document", final)]


def test_each_loss_is_told_with_what_came_since_the_last_time() -> None:
    log = LossLog({1: "live"}, {})
    assert sentences(log, report(10.0)) == []
    assert sentences(log, report(11.0, malformed=2, missing=3, dropped=4)) == [
        "2 messages malformed at the input, the last: json: no document",
        "3 frames missing at the input",
        "4 frames dropped by stream live (queue)",
    ]
    assert sentences(log, report(12.0, malformed=2, missing=1, dropped=9)) == [
        "5 frames dropped by stream live (queue)"
    ]


def test_there_is_one_note_a_second_and_a_last_one() -> None:
    log = LossLog({1: "live"}, {})
    assert sentences(log, report(10.0, missing=1)) == ["1 frames missing at the input"]
    assert sentences(log, report(10.9, missing=2)) == []
    assert sentences(log, report(10.95, missing=4), final=True) == ["3 frames missing at the input"]
