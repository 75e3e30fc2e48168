"""What a file says about its acquisition when that has ended. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from repstream.accounting import OutputLedger, OutputSnapshot
from repstream.dataplane.writing.numbering import Numbering
from repstream.files.gaps import Range, as_text
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
        **counts_of(ledger, missing=numbering.missing, missing_ids=numbering.missing_ids),
        "stop_time": now,
        "outcome": result.value,
        "message": message,
        "series": numbering.series,
        "late": numbering.late,
        "resets": numbering.resets,
        "malformed": malformed,
    }


def counts_of(
    ledger: OutputLedger | OutputSnapshot, *, missing: int, missing_ids: Iterable[Range]
) -> Mapping[str, Scalar]:
    """The counts among the results, of one data plane or of several together."""
    return {
        "received": ledger.offered - ledger.kept,
        "written": ledger.sent,
        "missing": missing,
        "missing_ids": as_text(missing_ids),
        "dropped": sum(ledger.dropped.values()),
        "skipped": sum(ledger.skipped.values()),
        "duplicates": ledger.skipped.get("duplicate", 0),
        "dropped_by_reason": json.dumps(ledger.dropped),
        "skipped_by_reason": json.dumps(ledger.skipped),
    }
