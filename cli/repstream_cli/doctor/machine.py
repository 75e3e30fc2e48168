"""The machine as the checks see it: files of the kernel, limits, clock; tests put another in its place."""

from __future__ import annotations

import ctypes
import os
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2)."""
_STATUS_AT = 40
_MAX_ERROR_AT = 24
"""Where struct timex has them on 64-bit Linux: int status, long maxerror (microseconds)."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel knows of its clock: is something keeping it, and its largest error in seconds."""

    synchronised: bool
    max_error: float


@dataclass(frozen=True)
class Machine:
    """This machine; `root` is where /proc and /sys lie."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def read(self, path: str) -> str | None:
        """The text of a file of the kernel; None where this one has no such file."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip()
        except OSError:
            return None

    def number(self, path: str, which: int = 0) -> int | None:
        """The number in such a file, or that at `which` of several; None where there is none."""
        words = (self.read(path) or "").split()
        return int(words[which]) if len(words) > which and words[which].lstrip("-").isdigit() else None

    def below(self, folder: str) -> list[str]:
        """The names in a folder of the kernel."""
        try:
            return sorted(entry.name for entry in (self.root / folder.lstrip("/")).iterdir())
        except OSError:
            return []

    def open_files(self) -> tuple[int, int]:
        """How many files a process may open: the limit in force, and what it may be raised to."""
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    def locked_memory(self) -> int:
        """Bytes that a process may lock in memory; -1 without limit."""
        return resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]

    def cores(self) -> int:
        """The cores that this process may run on."""
        return len(os.sched_getaffinity(0))

    def now(self) -> float:
        """The Unix time."""
        return time.time()

    def clock(self) -> ClockState | None:
        """The state of the kernel's clock; None where it may not be asked."""
        state = ctypes.create_string_buffer(256)  # modes = 0: only read
        if ctypes.CDLL(None, use_errno=True).adjtimex(state) < 0:
            return None
        status = ctypes.c_int.from_buffer(state, _STATUS_AT).value
        max_error = ctypes.c_long.from_buffer(state, _MAX_ERROR_AT).value
        return ClockState(not status & _UNSYNCHRONISED, max_error / 1e6)
