"""Storage that stalls, fails or writes less than it was asked, for one process under test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).with_name("storage_shim.c")


def build(compiler: str, library: Path) -> Path:
    """Compile what makes storage misbehave, for LD_PRELOAD."""
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


PAGE = 4096


@dataclass(frozen=True)
class Call:
    """One successful call: ``"write"`` of `data` at `offset`, ``"cut"`` to the size `offset`, ``"sync"``."""

    what: str
    inode: int
    offset: int = 0
    data: bytes = b""

    @property
    def end(self) -> int:
        """Where the file's bytes that it concerns end."""
        return self.offset + len(self.data)

    @property
    def pages(self) -> range:
        """The pages that it writes."""
        return range(self.offset // PAGE, -(-self.end // PAGE))


def calls_in(log: Path) -> list[Call]:
    """What a process under the shim did to its storage, in order (``STORAGE_SHIM_LOG``)."""
    found = []
    with log.open("rb") as file:
        while line := file.readline():
            what, inode, offset, size = line.decode().split()
            found.append(Call(what, int(inode), int(offset), file.read(int(size))))
    return found


def power_cut(calls: Sequence[Call], last: Callable[[int], int], path: Path) -> None:
    """Make at `path` what is on the disk of one file when the power fails after these calls.

    All that was synced, and of what was written since then in each page whatever came before call number
    `last(page)`: the system writes pages at times of its own, each as it is then.
    """
    synced = max((n for n, call in enumerate(calls) if call.what == "sync"), default=-1)
    until: dict[int, int] = {}
    size = 0
    with path.open("wb", buffering=0) as file:
        for number, call in enumerate(calls):
            size = max(size, call.end)
            if call.what == "cut":
                size = call.end
                file.truncate(size)
            for page in call.pages:
                first, stop = max(call.offset, page * PAGE), min(call.end, (page + 1) * PAGE)
                if number < synced or number < until.setdefault(page, last(page)):
                    os.pwrite(file.fileno(), call.data[first - call.offset : stop - call.offset], first)
        file.truncate(size)


ERRORS = {
    "ENOSPC": "No space left on device",
    "EIO": "Input/output error",
    "EACCES": "Permission denied",
    "ESTALE": "Stale file handle",
    "EDQUOT": "Disk quota exceeded",
    "short": "",
}
"""The errors that a call can be failed with, and the system's words for them."""


def errors_of(call: str) -> list[str]:
    """The errors that a call can have."""
    return [error for error in ERRORS if error != "short" or call in ("write", "read")]


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

    def fails(self, call: str, number: int, error: str, part: str) -> None:
        """Let one call fail, the `number`-th of its kind that concerns a path with `part` in it."""
        self.does("")
        for suffix in (".count", ".hit"):
            self._word.with_name(self._word.name + suffix).unlink(missing_ok=True)
        self.does(f"fail {call} {number} {error} {part}")

    @property
    def hit(self) -> str:
        """The path that the failed call concerned, empty where none has failed."""
        found = self._word.with_name(self._word.name + ".hit")
        return found.read_text() if found.exists() else ""
