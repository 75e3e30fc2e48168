"""One line that tells how it goes: rewritten on a terminal, now and then repeated in a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

TERMINAL_PERIOD = 0.2
LOG_PERIOD = 10.0


class ProgressLine:
    """A progress line on standard error. `text` is called only when a line is due."""

    def __init__(self, text: Callable[[], str], quiet: bool = False, stream: TextIO = sys.stderr) -> None:
        self._text = text
        self._stream = stream
        self._terminal = stream.isatty()
        self._quiet = quiet
        self._period = TERMINAL_PERIOD if self._terminal else LOG_PERIOD
        self._due = time.monotonic() + self._period
        self._shown = False

    def tick(self) -> None:
        """Show the line if it is due; cheap when it is not."""
        now = time.monotonic()
        if now >= self._due and not self._quiet:
            self._due = now + self._period
            self._show()

    def finish(self, show: bool = False) -> None:
        """Leave the line as it is, or (`show`) with its last text, and go to the next."""
        if show and not self._quiet:
            self._show()
        if self._terminal and self._shown:
            self._stream.write("\n")
            self._stream.flush()
            self._shown = False

    def _show(self) -> None:
        text = self._text()
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()
        self._shown = True


class Meter:
    """Rates over the time since the last reading, from counters that rise."""

    def __init__(self) -> None:
        self._time = time.monotonic()
        self._values: dict[str, float] = {}

    def rates(self, **values: float) -> dict[str, float]:
        """Units a second of each value since the last call with it."""
        now = time.monotonic()
        elapsed = max(now - self._time, 1e-9)
        rates = {name: (value - self._values.get(name, 0)) / elapsed for name, value in values.items()}
        self._time, self._values = now, dict(values)
        return rates
