"""Clients of every kind: one of each stays from the beginning to the end, others come and go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from random import Random
from typing import Any

from tests.soak.site.client import LOOKS
from tests.soak.site.programs import send

PORTS = {
    "tango": "tango",
    "epics": "epics",
    "pva": "pva",
    "http": "http",
    "websocket": "http",
    "page": "http",
}
MOST = 4
"""Visitors at a time."""


class Visitor:
    """One client process."""

    def __init__(self, kind: str, port: int) -> None:
        self.kind = kind
        line = [sys.executable, "-m", "tests.soak.site.client", kind, str(port)]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def ask(self) -> None:
        """Have it say what it sees next."""
        send(self._process.pid, signal.SIGUSR1)

    def answer(self, patience: float) -> dict[str, Any] | None:
        """What it saw, None where it did not say so in time."""
        assert self._process.stdout is not None
        descriptor, text = self._process.stdout.fileno(), ""
        os.set_blocking(descriptor, False)
        end = time.monotonic() + patience
        while time.monotonic() < end and self.returncode is None:
            with suppress(BlockingIOError):
                text += os.read(descriptor, 65536).decode()
            for line in text.splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n"):
                    found: dict[str, Any] = json.loads(line)
                    return found
            time.sleep(0.05)
        return None

    def leave(self, abruptly: bool = False) -> None:
        # The browser of a page that is killed would be left to others.
        self._process.send_signal(signal.SIGKILL if abruptly and self.kind != "page" else signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Crowd:
    """`kinds`: which there are. All leave with `close`."""

    def __init__(self, ports: dict[str, int], dice: Random, kinds: tuple[str, ...] = tuple(LOOKS)) -> None:
        self._ports, self._dice, self._kinds = ports, dice, kinds
        self.residents = [self._come(kind) for kind in kinds]
        self._visitors: list[Visitor] = []
        self.visits = 0

    def change(self) -> None:
        """Some come, some go, in order or without a word."""
        for visitor in list(self._visitors):
            if self._dice.random() < 0.4:
                self._visitors.remove(visitor)
                visitor.leave(abruptly=self._dice.random() < 0.5)
        if len(self._visitors) < MOST and self._dice.random() < 0.6:
            weights = [1 if kind == "page" else 4 for kind in self._kinds]
            self._visitors.append(self._come(self._dice.choices(self._kinds, weights)[0]))
            self.visits += 1

    def dismiss(self) -> None:
        """All visitors go."""
        while self._visitors:
            self._visitors.pop().leave()

    def seen(self, patience: float) -> dict[str, dict[str, Any] | None]:
        """What each of those who stayed sees now."""
        for resident in self.residents:
            resident.ask()
        return {resident.kind: resident.answer(patience) for resident in self.residents}

    def close(self) -> None:
        self.dismiss()
        while self.residents:
            self.residents.pop().leave()

    def _come(self, kind: str) -> Visitor:
        return Visitor(kind, self._ports[PORTS[kind]])
