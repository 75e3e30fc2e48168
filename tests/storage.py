"""Storage that stalls, fails or writes less than it was asked, for one process under test."""

from __future__ import annotations

import subprocess
from pathlib import Path

SHIM = Path(__file__).with_name("storage_shim.c")


def build(compiler: str, library: Path) -> Path:
    """Compile what makes storage misbehave, for LD_PRELOAD."""
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


class Storage:
    """Tells the storage of one process how to behave: see `environment` and ``storage_shim.c``."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self._word = folder / "storage"
        self.environment = {"LD_PRELOAD": str(shim), "STORAGE_SHIM": str(self._word)}
        self.does("")

    def does(self, word: str) -> None:
        beside = self._word.with_suffix(".new")
        beside.write_text(word)
        beside.replace(self._word)
