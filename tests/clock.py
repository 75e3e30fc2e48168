"""A clock on the wall that a test sets while processes run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

SHIM = Path(__file__).with_name("clock_shim.c")


class Clock:
    """The clock of all processes that are started with `environment`; of nobody else."""

    def __init__(self, compiler: str, folder: Path) -> None:
        library = folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)
        self._offset = folder / "clock"
        self._offset.write_bytes(bytes(8))
        self.environment: Mapping[str, str] = {"LD_PRELOAD": str(library), "CLOCK_SHIM": str(self._offset)}

    def set(self, seconds: int) -> None:
        """Have it show a time that is off by so many seconds from the right one."""
        with self._offset.open("r+b") as file:  # the same file, which they have mapped
            file.write(seconds.to_bytes(8, "little", signed=True))
