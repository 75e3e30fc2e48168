"""What was lost, in sentences for the log: one a second at most for each input and output."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from repstream.accounting import OutputSnapshot
from repstream.dataplane.control import Note, Report

INTERVAL = 1.0


class LossLog:
    """Compares reports and says what was lost in between. Pure; `names` are those of the slots."""

    def __init__(self, streams: dict[int, str], writers: dict[int, str]) -> None:
        self._streams = streams
        self._writers = writers
        self._counts: dict[str, int] = {}
        self._time = 0.0

    def notes(self, report: Report, last_malformed: str, final: bool = False) -> Iterator[Note]:
        """A note for each loss since the last time; none within a second of that, unless `final`."""
        if not final and report.clock - self._time < INTERVAL:
            return
        self._time = report.clock
        ledger = report.source.ledger
        last = f", the last: {last_malformed}"
        yield from self._risen("messages malformed at the input", sum(ledger.malformed.values()), last)
        yield from self._risen("frames missing at the input", ledger.missing)
        for slot, stream in report.streams.items():
            yield from self._dropped(f"stream {self._streams[slot]}", stream.ledger)
        for slot, writer in (*report.behind.items(), *report.writers.items()):
            subject = f"writer {self._writers[slot]}, acquisition {writer.acquisition_id}"
            yield from self._dropped(subject, writer.ledger)

    def _dropped(self, subject: str, ledger: OutputSnapshot) -> Iterator[Note]:
        for reason, count in ledger.dropped.items():
            yield from self._risen(f"frames dropped by {subject} ({reason})", count)

    def _risen(self, what: str, count: int, detail: str = "") -> Iterator[Note]:
        risen = count - self._counts.get(what, 0)
        self._counts[what] = count
        if risen > 0:
            yield Note(logging.WARNING, f"{risen} {what}{detail}")
