"""Storage that stalls, fails or writes less than it was asked, for one process under test."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).with_name("storage_shim.c")


def build(compiler: str, library: Path) -> Path:
    """Compile what makes storage misbehave, for LD_PRELOAD."""
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Call:
    """One successful call: ``"write"`` of `data` at `offset`, ``"cut"`` to the size `offset`, ``"sync"``."""

    what: str
    inode: int
    offset: int = 0
    data: bytes = b""


def calls_in(log: Path) -> list[Call]:
    """What a process under the shim did to its storage, in order (``STORAGE_SHIM_LOG``)."""
    found = []
    with log.open("rb") as file:
        while line := file.readline():
            what, inode, offset, size = line.decode().split()
            found.append(Call(what, int(inode), int(offset), file.read(int(size))))
    return found


PAGE = 4096


def power_cut(calls: Sequence[Call], last: Callable[[int], int]) -> bytes:
    """What is on the disk of one file when the power fails after these calls.

    All that was synced, and of what was written since then in each page whatever came before call number
    `last(page)`: the system writes pages at times of its own, each as it is then.
    """
    synced = max((n for n, call in enumerate(calls) if call.what == "sync"), default=-1)
    until: dict[int, int] = {}
    content = bytearray()
    for number, call in enumerate(calls):
        size = call.offset if call.what == "cut" else call.offset + len(call.data)
        content.extend(bytes(max(0, size - len(content))))
        if call.what == "cut":
            del content[size:]
        for page in range(call.offset // PAGE, -(-size // PAGE)):
            first, stop = max(call.offset, page * PAGE), min(size, (page + 1) * PAGE)
            if number < synced or number < until.setdefault(page, last(page)):
                content[first:stop] = call.data[first - call.offset : stop - call.offset]
    return bytes(content)


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
