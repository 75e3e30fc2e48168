"""A machine whose kernel, limits and clock say what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repstream_cli.doctor.checks import examine
from repstream_cli.doctor.finding import Finding
from repstream_cli.doctor.machine import ClockState, Machine
from repstream_cli.doctor.site import Site

KEPT = ClockState(True, 0.001)
TODAY = 1.8e9


@dataclass(frozen=True)
class FakeMachine(Machine):
    files: tuple[int, int] = (65536, 65536)
    count: int = 4
    time: float = TODAY
    state: ClockState | None = KEPT

    def open_files(self) -> tuple[int, int]:
        return self.files

    def cores(self) -> int:
        return self.count

    def now(self) -> float:
        return self.time

    def clock(self) -> ClockState | None:
        return self.state


def machine(root: Path, kernel: Mapping[str, object] = {}, **facts: Any) -> FakeMachine:
    """A machine with these files in /proc and /sys, and no others."""
    for name, text in kernel.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return FakeMachine(root=root, **{"environment": {}, **facts})


def found(site: Site, *names: str) -> list[Finding]:
    return list(examine(site, names))


def bad(site: Site, *names: str) -> list[tuple[str, str]]:
    """What is not well: (verdict, what was found)."""
    return [(str(f.verdict), f.found) for f in found(site, *names) if f.verdict != "ok"]
