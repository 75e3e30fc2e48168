"""Which processes belong to a test: all below one, found in /proc."""

from __future__ import annotations

import time
from pathlib import Path


def below(process_id: int) -> set[int]:
    """The living descendants of a process."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if after_name[0] != "Z":
            parents[int(status.parent.name)] = int(after_name[1])
    found = {process_id}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {process_id}
        found |= more


def still_alive(process_ids: set[int], patience: float = 5.0) -> set[int]:
    """Those of the processes that have not ended after a while."""
    end = time.monotonic() + patience
    while True:
        alive = {n for n in process_ids if _alive(n)}
        if not alive or time.monotonic() > end:
            return alive
        time.sleep(0.05)


def _alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"
