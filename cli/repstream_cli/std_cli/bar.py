"""How far an acquisition is, as a bar on a terminal."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from repstream.errors import ToolError
from repstream_cli.std_cli.asking import ask

LOOK = 0.5
"""Seconds between two looks at the acquisition."""


class AcquisitionBar:
    """Shows on standard error, where that is a terminal, how far `output_file` is; a context manager."""

    def __init__(self, url: str, output_file: str, n_images: int) -> None:
        self._url = url
        self._file = output_file
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=n_images)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> None:
        self._bar.start()
        if not self._bar.disable:
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if error is None:
            self._bar.update(self._task, completed=self._bar.tasks[0].total)
        self._bar.stop()

    def _follow(self) -> None:
        while not self._end.wait(LOOK):
            try:
                acquisition = ask(self._url, "/writer/status")["writer"]["acquisition"]
            except ToolError:
                continue  # the request itself says what is wrong
            if acquisition is not None and acquisition["info"]["output_file"] == self._file:
                written = acquisition["stats"]["n_write_completed"]
                self._bar.update(self._task, completed=written, description=acquisition["state"])
