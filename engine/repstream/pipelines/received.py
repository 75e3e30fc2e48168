"""The account of what an instance received."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from repstream.accounting import InputLedger
from repstream.errors import MalformedMessage
from repstream.messages.frame import Frame
from repstream.messages.header import size_of
from repstream.pipelines.spacing import Spacing


class Received:
    """Counts messages; what is missing in the spacing of a stream's ids is lost before it came here."""

    def __init__(self) -> None:
        self.ledger = InputLedger()
        self._spacing = Spacing()

    def frame(self, frame: Frame) -> None:
        """An image came."""
        self.pulse(frame.frame_id, frame.nbytes)

    def pulse(self, pulse_id: int, nbytes: int) -> None:
        """A message came."""
        self.ledger.book_frame(pulse_id, nbytes, time.time())
        self._spacing.observe(pulse_id)

    def malformed(self, error: MalformedMessage, parts: Sequence[Any]) -> None:
        """A message came that cannot be read."""
        self.ledger.book_malformed(error.reason, sum(map(size_of, parts)))

    def other(self, parts: Sequence[Any]) -> None:
        """A good message came that has nothing for us."""
        self.ledger.book_other("other", sum(map(size_of, parts)))

    @property
    def lost(self) -> dict[str, int]:
        """What did not arrive, or not whole, by reason."""
        found = {f"malformed: {reason}": number for reason, number in self.ledger.malformed.items()}
        if self._spacing.missing:
            found["missing"] = self._spacing.missing
        return found
