"""Why messages could not be processed, as lines of the log: few, however many messages fail."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

APART, REPEATED = 1.0, 60.0
"""Seconds from a line to the next one, and to the next one with the same reason."""


class Failures:
    """Logs reasons: a line a second at most, and the same reason once a minute."""

    def __init__(self) -> None:
        self._reason = ""
        self._logged = float("-inf")

    def said(self, reason: str, now: float) -> None:
        """A message failed for this reason, at a time in monotonic seconds."""
        if now - self._logged >= (REPEATED if reason == self._reason else APART):
            log.warning("%s", reason)
            self._reason, self._logged = reason, now
