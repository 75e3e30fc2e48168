"""What became of every frame: gaps in the numbering, and ledgers whose sums hold exactly."""

from repstream.accounting.gap_tracker import COUNT_LIMIT, SETTLING, WINDOW, GapTracker, Run, Verdict
from repstream.accounting.id_runs import IdRun, RunLog
from repstream.accounting.ledgers import InputLedger, InputSnapshot, OutputLedger, OutputSnapshot
from repstream.accounting.merged import MergedTracker
from repstream.accounting.reordering import Kind, Reordering

__all__ = [
    "COUNT_LIMIT",
    "SETTLING",
    "WINDOW",
    "GapTracker",
    "IdRun",
    "InputLedger",
    "InputSnapshot",
    "Kind",
    "MergedTracker",
    "OutputLedger",
    "OutputSnapshot",
    "Reordering",
    "Run",
    "RunLog",
    "Verdict",
]
