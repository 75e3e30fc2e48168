"""What was malformed, as sentences for the log."""

from __future__ import annotations

import msgspec

from repstream.accounting import InputLedger
from repstream.dataplane.control import Report, SourceReport
from repstream.dataplane.loss import MalformedLog


def report(time: float, malformed: int = 0) -> Report:
    received = InputLedger()
    for _ in range(malformed):
        received.book_malformed("json", 1)
    ledger = msgspec.structs.replace(received.snapshot(), missing=3)
    source = SourceReport(ledger, connected=True, last_time=None, shape=None, dtype=None)
    return Report(time, source, {}, {}, losses=0)


def sentences(log: MalformedLog, report: Report, final: bool = False) -> list[str]:
    return [note.message for note in log.notes(report, "json: no document", final)]


def test_the_last_message_is_told_with_the_number_since_the_last_time() -> None:
    log = MalformedLog()
    assert sentences(log, report(10.0)) == []
    assert sentences(log, report(11.0, malformed=2)) == [
        "2 messages malformed at the input, the last: json: no document"
    ]
    assert sentences(log, report(12.0, malformed=2)) == []


def test_there_is_one_note_a_second_and_a_last_one() -> None:
    log = MalformedLog()
    assert sentences(log, report(10.0, malformed=1)) == [
        "1 message malformed at the input, the last: json: no document"
    ]
    assert sentences(log, report(10.9, malformed=2)) == []
    assert sentences(log, report(10.95, malformed=4), final=True)[0].startswith("3 messages malformed")
