"""Programs of their own that belong to a command and end with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from repstream.errors import ChildError
from repstream.lifetime import Running

PATIENCE = 10.0
"""Seconds that a child has to end by itself."""
LONGEST_PAUSE = 30.0
"""Seconds, at most, between the end of a child and its next start."""


class Child(Running):
    """A program that is kept running: `start`, `tend` now and then, `close`.

    It serves from the line that holds `ready` on; each line that it prints goes to `on_line`, or
    to the log. Start it from the main thread (see `end_with_parent`).
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        ready: str = "",
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "repstream_cli.end_with_parent", str(os.getpid()), *command]
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._log = logging.getLogger(f"repstream.{name}")
        self._on_line = on_line or (lambda line: self._log.info("%s", line))
        self._is_ready = threading.Event()
        self._last_lines: deque[str] = deque(maxlen=5)
        self._pause = 1.0
        self._due = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self, timeout: float = 30.0) -> None:
        """Start and wait until it is ready; raises `ChildError` with its last words."""
        self._launch()
        end = time.monotonic() + timeout
        while self._ready and not self._is_ready.wait(0.05):
            if self.returncode is not None or time.monotonic() > end:
                self.close()
                said = (
                    "; ".join(filter(None, map(_without_frame, self._last_lines)))
                    or f"it was not ready within {timeout:.0f} s and said nothing"
                )
                raise ChildError(f"{self.name} did not start: {said}")

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def returncode(self) -> int | None:
        return self._process.poll() if self._process is not None else None

    def tend(self) -> None:
        """Start it again if it has ended by itself, less and less often."""
        if self.returncode is None:
            return
        if not self._due:
            self._log.error(
                "%s ended with status %s; starting it again in %.0f s",
                self.name,
                self.returncode,
                self._pause,
            )
            self._due = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        elif time.monotonic() >= self._due:
            self._due = 0.0
            self._launch()

    def close(self) -> None:
        """End it; harmless when it has ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._log.error("%s did not end within %.0f s and is killed", self.name, PATIENCE)
                self._process.kill()
                self._process.wait()
        if self._reader is not None:
            self._reader.join(1)

    def _launch(self) -> None:
        self._is_ready.clear()
        # A session of its own: Ctrl-C on the terminal is for the parent, which ends its children in order.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process,), name=f"{self.name} output", daemon=True
        )
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in map(str.rstrip, process.stdout):
                if line:
                    self._last_lines.append(line)
                    self._on_line(line)
                    if self._ready and self._ready in line:
                        self._is_ready.set()


def _without_frame(line: str) -> str:
    """A line without the box that error messages of commands are drawn in."""
    return line.strip("│╭╮╰╯─ ")
