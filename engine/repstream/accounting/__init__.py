"""What became of every frame: gaps in the numbering, and ledgers whose sums hold exactly."""

from repstream.accounting.gap_tracker import COUNT_LIMIT, SETTLING, WINDOW, GapTracker, Run, Verdict
from repstream.accounting.ledgers import InputLedger, InputSnapshot, OutputLedger, OutputSnapshot

__all__ = [
    "COUNT_LIMIT",
    "SETTLING",
    "WINDOW",
    "GapTracker",
    "InputLedger",
    "InputSnapshot",
    "OutputLedger",
    "OutputSnapshot",
    "Run",
    "Verdict",
]
