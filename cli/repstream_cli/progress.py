"""One line that shows how far a command is: rewritten on a terminal, now and then repeated in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

TERMINAL_PERIOD = 0.2
LOG_PERIOD = 10.0


class ProgressLine:
    """A progress line on standard error. `text` is called only when a line is due."""

    def __init__(self, text: Callable[[], str], quiet: bool = False, stream: TextIO | None = None) -> None:
        self._text = text
        self._quiet = quiet
        self._console = Console(file=stream or sys.stderr, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._period = TERMINAL_PERIOD if self._console.is_terminal else LOG_PERIOD
        self._due = time.monotonic() + self._period

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
        self._live.stop()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._live.start()
            self._live.update(Text(self._text(), no_wrap=True, overflow="ellipsis"), refresh=True)
        else:
            self._console.print(self._text(), markup=False, soft_wrap=True)


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
