"""What a file says about its acquisition when that has ended. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from repstream.accounting import OutputLedger
from repstream.dataplane.writing.numbering import Numbering
from repstream.files.gaps import as_text
from repstream.files.plan import Scalar
from repstream.states import AcquisitionResult


def results_of(
    result: AcquisitionResult,
    message: str,
    *,
    ledger: OutputLedger,
    numbering: Numbering,
    malformed: int,
    now: float,
) -> Mapping[str, Scalar]:
    """The results by their names in `places.RESULTS`; `now` in Unix seconds.

    received = written + dropped + skipped: frames that are kept for the next file belong to
    none of these.
    """
    return {
        "stop_time": now,
        "outcome": result.value,
        "message": message,
        "received": ledger.offered - ledger.kept,
        "written": ledger.sent,
        "missing": numbering.missing,
        "missing_ids": as_text(numbering.missing_ids),
        "series": numbering.series,
        "dropped": sum(ledger.dropped.values()),
        "skipped": sum(ledger.skipped.values()),
        "duplicates": ledger.skipped.get("duplicate", 0),
        "late": numbering.late,
        "resets": numbering.resets,
        "malformed": malformed,
        "dropped_by_reason": json.dumps(ledger.dropped),
        "skipped_by_reason": json.dumps(ledger.skipped),
    }
