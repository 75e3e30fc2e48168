"""`repstream follow`: watch a file grow."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from repstream.errors import StorageError
from repstream.files.nexus.places import UNFINISHED
from repstream.files.reader import Extent
from repstream.files.reader import follow as look
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.progress import Meter, ProgressLine


def follow(
    file: Annotated[Path, typer.Argument(help="The HDF5 file.", show_default=False)],
    *,
    swmr: Annotated[
        bool, typer.Option("--swmr", help="Open the file once with swmr=True instead of reopening it.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between checks of the file.")] = 0.2,
    timeout: Annotated[
        float, typer.Option(min=0, help="End when nothing came for this time in seconds; 0: keep waiting.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Follow a file while it is written: images, rate, last id; ends when the file is finished.

    A file that is not there yet is waited for. The writer is neither locked nor slowed down.

    Exit codes: 0 finished, 1 ended as failed or aborted, 2 not readable, 3 nothing (more) came in time.

    [bold]Examples[/bold]

      repstream follow /data/run1.h5
      repstream follow --timeout 10 --json /data/run1.h5
    """
    watch = _Watch()
    line = ProgressLine(watch.text, quiet)
    try:
        with until_interrupted() as stop:
            if not _appears(file, stop, timeout):
                typer.echo(f"{file} does not exist", err=True)
                raise typer.Exit(Exit.NOTHING)
            for _, extent in look(file, swmr=swmr, interval=interval, wait=stop.wait):
                idle = watch.note(extent)
                line.tick()
                if stop.is_set() or (timeout and idle >= timeout):
                    break
    except StorageError as error:
        line.finish()
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from error
    line.finish(show=True)
    extent = watch.extent
    if as_json:
        typer.echo(json.dumps({"images": extent.count, "last_id": extent.last_id, "outcome": extent.outcome}))
    else:
        typer.echo(f"{extent.count} images, last id {extent.last_id}, {extent.outcome}")
    raise typer.Exit(_exit_code(extent, stop.is_set()))


class _Watch:
    """What was seen last, and since when nothing came."""

    def __init__(self) -> None:
        self.extent = Extent(0, 0, None, UNFINISHED)
        self._heard = time.monotonic()
        self._meter = Meter()

    def note(self, extent: Extent) -> float:
        """Take a new look; how many seconds ago the last image came."""
        now = time.monotonic()
        if extent.count != self.extent.count:
            self._heard = now
        self.extent = extent
        return now - self._heard

    def text(self) -> str:
        extent = self.extent
        rates = self._meter.rates(images=extent.count, nbytes=extent.nbytes)
        return (
            f"{extent.count} images, {rates['images']:.1f} Hz, {rates['nbytes'] / 1e6:.1f} MB/s, "
            f"last id {extent.last_id}, {extent.outcome}"
        )


def _appears(file: Path, stop: threading.Event, timeout: float) -> bool:
    """Whether the file is there within `timeout` seconds (0: wait on)."""
    end = time.monotonic() + timeout
    while not file.exists():
        if stop.wait(0.1) or (timeout and time.monotonic() >= end):
            return False
    return True


def _exit_code(extent: Extent, interrupted: bool) -> Exit:
    if not extent.finished:
        return Exit.OK if interrupted else Exit.NOTHING
    return Exit.FAULTS if extent.outcome in ("failed", "aborted") else Exit.OK
