"""What each receiver writes of one acquisition, and the sums over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from repstream.accounting import OutputSnapshot
from repstream.dataplane.control import AcquisitionPlan, Opening, WriterReport
from repstream.files.shared_images import SharedImages
from repstream.service.receivers.merging import LOST, as_lost, summed_output
from repstream.service.receivers.summed_calls import summed_calls
from repstream.states import ENDED, AcquisitionResult, AcquisitionState


@dataclass
class Part:
    """What one receiver writes of the acquisition; `is_lost`: it died. `is_shut`: its gate has shut.

    `is_counted`: its last report is from the end; otherwise its file has images that were not reported, or
    lacks some that were.
    """

    receiver: int
    plan: AcquisitionPlan
    state: AcquisitionState = AcquisitionState.NONE
    result: AcquisitionResult = AcquisitionResult.NONE
    report: WriterReport | None = None
    is_lost: bool = False
    is_shut: bool = False
    is_counted: bool = True

    @property
    def is_over(self) -> bool:
        return self.is_lost or self.state in ENDED


def live(parts: Sequence[Part]) -> list[Part]:
    """Those that may still get images, or write some."""
    return [part for part in parts if not part.is_over]


def taken(parts: Sequence[Part]) -> int:
    """Images that are in the files or on their way there."""
    return sum(_taken(part) for part in parts)


def opening_of(parts: Sequence[Part]) -> Opening | None:
    """What went through the gates of all; None while none was open."""
    openings = [part.report.opening for part in parts if part.report and part.report.opening]
    if not openings:
        return None
    firsts = [opening.first_id for opening in openings if opening.first_id is not None]
    lasts = [opening.last_id for opening in openings if opening.last_id is not None]
    ends = [opening.end for opening in openings if opening.end is not None]
    return Opening(
        number=1,
        begin=min(opening.begin for opening in openings),
        end=max(ends) if len(ends) == len(openings) else None,
        images=sum(opening.images for opening in openings),
        first_id=min(firsts, default=None),
        last_id=max(lasts, default=None),
    )


def summed(
    parts: Sequence[Part], acquisition_id: str, state: AcquisitionState, missing: int, *, is_open: bool
) -> WriterReport:
    """The reports of all parts as that of one writer."""
    reports = [(part, part.report) for part in parts if part.report is not None]
    now = [report for part, report in reports if not part.is_lost]
    return WriterReport(
        ledger=summed_output(
            [as_lost(report.ledger) if part.is_lost else report.ledger for part, report in reports]
        ),
        queue_use=max((report.queue_use for report in now), default=0.0),
        acquisition_id=acquisition_id,
        state=state,
        gate_open=is_open,
        missing=missing,
        file_size=sum(report.file_size for _, report in reports),
        blocking=any(report.blocking for report in now),
        disk_rate=sum(report.disk_rate for report in now),
        disk_wait=max((report.disk_wait for report in now), default=0.0),
        spilled=sum(report.spilled for report in now),
        opening=opening_of(parts),
        calls=summed_calls([report.calls for report in now]),
    )


def as_shown(parts: Sequence[Part], images: SharedImages) -> OutputSnapshot:
    """The counts of all parts, corrected by what their files really have and what is shown of it.

    A receiver that died may have written images more than it said, or less.
    """
    ledgers = []
    for part, found in zip(parts, images.counts, strict=True):
        if part.report is not None:
            ledger = part.report.ledger
            ledgers.append(ledger if part.is_counted else _as_found(ledger, found))
    whole = summed_output(ledgers)
    left = {"duplicate": images.arrangement.repeated, "gate": images.arrangement.outside}
    skipped = dict(whole.skipped)
    for reason, count in left.items():
        if count:
            skipped[reason] = skipped.get(reason, 0) + count
    return msgspec.structs.replace(whole, sent=whole.sent - sum(left.values()), skipped=skipped)


def _taken(part: Part) -> int:
    if part.report is None:
        return 0
    ledger = part.report.ledger
    return ledger.sent + (0 if part.is_lost else ledger.queued - ledger.kept)


def _as_found(ledger: OutputSnapshot, found: int) -> OutputSnapshot:
    """The counts of a part whose file has so many images."""
    had = ledger.sent + ledger.queued
    dropped = {**ledger.dropped, LOST: ledger.dropped.get(LOST, 0) + max(0, had - found)}
    return msgspec.structs.replace(
        ledger,
        offered=ledger.offered + max(0, found - had),
        sent=found,
        queued=0,
        kept=0,
        dropped={reason: count for reason, count in dropped.items() if count},
    )
