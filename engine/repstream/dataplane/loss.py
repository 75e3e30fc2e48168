"""What was malformed, in a sentence for the log: one a second at most.

All other losses are numbers that people read; of a malformed message nobody has more than its count.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from repstream.dataplane.control import Note, Report

INTERVAL = 1.0


class MalformedLog:
    """Compares reports and says what was malformed in between, and how the last message was. Pure."""

    def __init__(self) -> None:
        self._count = 0
        self._time = 0.0

    def notes(self, report: Report, last: str, final: bool = False) -> Iterator[Note]:
        """A note where there is something new; none within a second of the last look, unless `final`."""
        if not final and report.clock - self._time < INTERVAL:
            return
        self._time = report.clock
        before, self._count = self._count, sum(report.source.ledger.malformed.values())
        if (risen := self._count - before) > 0:
            messages = "1 message" if risen == 1 else f"{risen} messages"
            yield Note(logging.WARNING, f"{messages} malformed at the input, the last: {last}")
