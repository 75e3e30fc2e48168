"""The books of a stream that several receivers send through a data plane that merges it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from repstream.accounting import OutputSnapshot
from repstream.dataplane.control import MergeReport, StreamReport
from repstream.service.receivers.merging import LOST, as_lost, by_reason, summed_output

SETTLING = 0.5
"""Seconds after the death of a receiver in which what it had sent may still arrive."""

NOTHING = OutputSnapshot(0, 0, {}, {}, 0, 0, None)
QUIET = StreamReport(NOTHING, 0.0, 0, 0, False)


@dataclass
class _Lane:
    """What one receiver says of the stream, and how much of it has arrived (`reached`).

    `ended`: when it died (monotonic), None while it lives; `is_over`: nothing of it is on its way any more.
    """

    report: StreamReport = QUIET
    reached: int = 0
    ended: float | None = None
    is_over: bool = False

    @property
    def offered(self) -> int:
        """Reports are of different times, so that more may have arrived than has been reported as sent."""
        ledger = self.report.ledger
        return max(ledger.offered, self.left + max(ledger.sent, self.reached))

    @property
    def left(self) -> int:
        """What does not go on to be merged."""
        return sum(self.report.ledger.skipped.values()) + sum(self.report.ledger.dropped.values())

    @property
    def waiting(self) -> int:
        """What is in the receiver, or on its way."""
        return self.offered - self.left - self.reached


@dataclass
class MergedStream:
    """Sums that hold exactly: offered = sent + skipped + dropped + queued.

    A message is offered where a receiver gets it. It is skipped or dropped there, or it waits (`queued`)
    there, on its way, or for its turn, until it is sent or dropped where all are merged. What was lost on
    its way, or died with the process that had it, is dropped.
    """

    lanes: dict[int, _Lane] = field(default_factory=dict)
    merger: StreamReport = QUIET
    held: int = 0
    earlier: list[OutputSnapshot] = field(default_factory=list)
    disconnects: int = 0

    def begin(self, lane: int) -> None:
        """A receiver begins."""
        self.lanes[lane] = _Lane()

    def note(self, lane: int, report: StreamReport) -> None:
        """A receiver says how the stream fares there."""
        self.lanes[lane].report = report

    def end(self, lane: int, now: float) -> None:
        """A receiver has died, and what waited there with it."""
        which = self.lanes[lane]
        lost = as_lost(which.report.ledger)
        which.report = msgspec.structs.replace(QUIET, ledger=lost)
        which.ended = now

    def take(self, report: StreamReport, merge: MergeReport, now: float) -> None:
        """The data plane that merges says how far it is."""
        self.merger, self.held = report, merge.held
        for number, lane in self.lanes.items():
            before, lane.reached = lane.reached, max(lane.reached, merge.reached.get(number, 0))
            if lane.ended is not None and before == lane.reached and not report.blocking:
                lane.is_over = now - lane.ended >= SETTLING

    def lose(self) -> None:
        """The data plane that merges has died, and what it had with it."""
        self.earlier.append(as_lost(self.merger.ledger))
        self.disconnects += self.merger.disconnects + self.merger.clients
        self.merger, self.held = QUIET, 0

    @property
    def is_through(self) -> bool:
        """Whether all that receivers have sent has arrived."""
        return all(lane.is_over or lane.reached >= lane.report.ledger.sent for lane in self.lanes.values())

    @property
    def losses(self) -> int:
        """Messages lost between receivers and the data plane that merges, and with either."""
        return sum(self._lost(final=False).values())

    def report(self, *, final: bool = False) -> StreamReport:
        """The stream now; `final`: what has not been sent never will be."""
        merged = summed_output([*self.earlier, self.merger.ledger])
        receivers = [lane.report for lane in self.lanes.values()]
        skipped = by_reason([merged.skipped, *(report.ledger.skipped for report in receivers)])
        dropped = by_reason(
            [merged.dropped, *(report.ledger.dropped for report in receivers), self._lost(final=final)]
        )
        offered = sum(lane.offered for lane in self.lanes.values())
        ledger = OutputSnapshot(
            offered=offered,
            sent=merged.sent,
            skipped=skipped,
            dropped=dropped,
            queued=offered - merged.sent - sum(skipped.values()) - sum(dropped.values()),
            nbytes_sent=merged.nbytes_sent,
            last_frame_id=self.merger.ledger.last_frame_id,
        )
        reports = [self.merger, *receivers]
        return msgspec.structs.replace(
            self.merger,
            ledger=ledger,
            queue_use=max(report.queue_use for report in reports),
            disconnects=self.disconnects + self.merger.disconnects,
            blocking=any(report.blocking for report in reports),
        )

    def _lost(self, *, final: bool) -> Mapping[str, int]:
        """What is dropped and in nobody's books, by reason."""
        came = sum(lane.reached for lane in self.lanes.values())
        known = sum(ledger.offered for ledger in (*self.earlier, self.merger.ledger)) + self.held
        lost = {
            "merger": max(0, came - known),
            LOST: sum(lane.waiting for lane in self.lanes.values() if lane.is_over),
        }
        if final:
            waiting = sum(lane.waiting for lane in self.lanes.values() if not lane.is_over)
            lost["stop"] = waiting + self.held + self.merger.ledger.queued
        return {reason: count for reason, count in lost.items() if count}
