"""The load of a server with its instances, as cam_server's managers balance by it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from repstream.instances.description import Statistics

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Figures(NamedTuple):
    """Percent of one core, bytes of memory, bytes a second sent and received; None where not known."""

    cpu: float | None = None
    memory: float | None = None
    tx: float | None = None
    rx: float | None = None


class Load:
    """The load since the question before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: tuple[float, float] | None = None

    def now(self, instances: Sequence[Statistics]) -> Figures:
        """The load with these instances; `cpu` is None at first, and so are rates without an instance."""
        own = time.process_time()
        with self._lock:
            before, self._before = self._before, (time.monotonic(), own)
        cpu = None
        if before is not None and self._before[0] > before[0]:
            cpu = 100 * (own - before[1]) / (self._before[0] - before[0])
            cpu = round(cpu + sum(each.cpu for each in instances), 1)
        sent = [
            each.tx_rate * each.frame_shape[0] * each.frame_shape[1] * each.frame_shape[2]
            for each in instances
            if each.frame_shape is not None
        ]
        return Figures(
            cpu=cpu,
            memory=_own_memory() + sum(each.memory for each in instances),
            tx=sum(sent) if sent else None,
            rx=sum(each.throughput for each in instances) if instances else None,
        )


def _own_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
