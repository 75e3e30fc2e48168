"""What a process uses, and rates from counts."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Meter:
    """A rate from a count that only rises."""

    def __init__(self) -> None:
        self._count, self._time = 0, time.monotonic()

    def rate(self, count: int, now: float) -> float:
        """Per second since the last call."""
        passed = now - self._time
        rate = (count - self._count) / passed if passed > 0 else 0.0
        self._count, self._time = count, now
        return max(rate, 0.0)


class Usage:
    """Processor and memory of this process."""

    def __init__(self) -> None:
        self._used, self._time = _processor_time(), time.monotonic()

    def cpu(self, now: float) -> float:
        """Percent of one core since the last call."""
        used, passed = _processor_time(), now - self._time
        percent = 100 * (used - self._used) / passed if passed > 0 else 0.0
        self._used, self._time = used, now
        return percent


def _processor_time() -> float:
    times = os.times()
    return times.user + times.system


def own_memory() -> int:
    """Bytes that no other process shares with this one."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    found = (line.split() for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))
    return sum(int(fields[1]) for fields in found) * 1024
