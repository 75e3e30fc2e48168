"""The load of the soak of Tango: clients in processes of their own, and what changes under them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

KEYS = tuple(f"pictures.1.roi{n}_{side}" for n in range(1, 5) for side in ("y", "x", "height", "width"))
"""What changes, all to the same number; numbers rise, so one that falls came out of order."""
NAMES = tuple(f"Pictures1Roi{n}{side}" for n in range(1, 5) for side in ("Y", "X", "Height", "Width"))
"""Their attributes."""
EVENTS = 1000.0
"""Changes a second, over all keys."""
PERIOD = len(KEYS) / EVENTS
"""Seconds from one change of all keys to the next."""
POLLERS, SUBSCRIBERS = 20, 5

Client = tuple[str, subprocess.Popen[str]]
"""Its way, poll or subscribe, and its process."""


@contextmanager
def clients(
    device: str, last: int, pollers: int = POLLERS, subscribers: int = SUBSCRIBERS
) -> Iterator[list[Client]]:
    """Clients that are connected, and end when they have seen `last` in all of `NAMES`."""
    ways = [("poll", pollers // 4)] * 4 + [("subscribe", 1)] * subscribers
    with ExitStack() as stack:
        yield [(way, stack.enter_context(_watcher(device, way, n, last))) for way, n in ways]


def seen(these: list[Client]) -> dict[str, list[dict[str, Any]]]:
    """What each client saw, by its way; waits until all of them have ended."""
    found: dict[str, list[dict[str, Any]]] = {"poll": [], "subscribe": []}
    for way, client in these:
        assert client.stdout is not None
        found[way] += json.loads(client.stdout.readline())
    return found


@contextmanager
def _watcher(device: str, way: str, how_many: int, last: int) -> Iterator[subprocess.Popen[str]]:
    arguments = ("-m", "tests.soak.tango_watcher", device, way, str(how_many), str(last), *NAMES)
    line = [sys.executable, *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == "ready"
            yield process
        finally:
            process.kill()
