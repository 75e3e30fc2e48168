"""Which messages a pipeline takes: records, ranges, rates, and what must rise. Pure; time is an argument."""

from __future__ import annotations

from enum import Enum

from repstream.messages.bsread_header import Timestamp
from repstream.parameters.pipeline import PipelineSettings


class Verdict(Enum):
    """What becomes of a message."""

    TAKE = "take"
    SKIP = "skip"
    END = "end"


class Gate:
    """Decides on each message in turn, and remembers what the settings need.

    Settings may change while it is used; counts go on.
    """

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        self.skipped: dict[str, int] = {}
        self._taken = 0
        self._passed_over = 0
        self._any_taken = False
        self._last_time = float("-inf")
        self._last_id: int | None = None
        self._last_stamp: Timestamp = (0, 0)
        self._number = 0

    @property
    def is_finished(self) -> bool:
        """Whether as many were taken as the settings ask for."""
        return bool(self.settings.records) and self._taken >= (self.settings.records or 0)

    def decide(self, pulse_id: int, timestamp: Timestamp, now: float) -> Verdict:
        """Whether to take a message; `now` is a monotonic time in seconds."""
        settings = self.settings
        if settings.pid_range is not None:
            start, stop = settings.pid_range
            if start <= 0 or pulse_id < start:
                return self._skip("pid_range")
            if stop > 0 and pulse_id > stop:
                return Verdict.END
        if settings.pause:
            return self._skip("pause")
        if settings.modulo and settings.pipeline_type == "store":
            self._number += 1
            if (self._number - 1) % settings.modulo:
                return self._skip("modulo")
        if settings.downsampling and self._any_taken and self._passed_over < settings.downsampling:
            self._passed_over += 1
            return self._skip("downsampling")
        rate = settings.max_frame_rate
        is_paced = settings.pipeline_type == "custom"  # its function is called at that rate
        if rate is not None and rate > 0 and not is_paced and now - self._last_time < 1 / rate:
            return self._skip("max_frame_rate")
        if settings.enforce_pid and self._last_id is not None and pulse_id <= self._last_id:
            return self._skip("enforce_pid")
        if settings.enforce_timestamp and timestamp <= self._last_stamp:
            return self._skip("enforce_timestamp")
        self._any_taken, self._passed_over = True, 0
        self._last_time, self._last_id, self._last_stamp = now, pulse_id, timestamp
        return Verdict.TAKE

    def sent(self) -> None:
        """A message of what was taken has gone out: these are the records that are counted."""
        self._taken += 1

    def _skip(self, reason: str) -> Verdict:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        return Verdict.SKIP
