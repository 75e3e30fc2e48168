"""One acquisition: started through Tango, watched through EPICS and HTTP."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import tango

from repstream.states import is_complete
from repstream_cli import addresses
from repstream_cli.demo.setup import WRITER
from repstream_cli.demo.watchers import EpicsWatcher, HttpWatcher
from repstream_cli.progress import ProgressLine
from repstream_cli.stack import Stack

PATIENCE = 30.0
"""Seconds that each front end has to answer, and to show the end as well, on a busy machine too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, and what is wrong with it (empty: nothing)."""

    file: Path
    message: str
    complaint: str


class Acquisition:
    """`run` acquires `images` into `file` and compares what the three front ends say."""

    def __init__(self, stack: Stack, file: Path, images: int) -> None:
        self._file = file
        self._images = images
        self._writer = tango.DeviceProxy(addresses.tango_name(stack, "repstream/writer/1"))
        self._writer.set_timeout_millis(int(1000 * PATIENCE))
        self._epics = EpicsWatcher(stack)
        self._http = HttpWatcher(stack, WRITER)

    def run(self, stop: threading.Event, patience: float) -> Outcome:
        """Wait at most `patience` seconds for a next image; `stop` ends it."""
        try:
            return self._run(stop, patience)
        except tango.DevFailed as error:
            return Outcome(self._file, "", f"Tango says {error.args[-1].desc}")

    def _run(self, stop: threading.Event, patience: float) -> Outcome:
        self._wait_attached(stop)
        line = ProgressLine(self._progress)
        with self._epics, self._http:
            self._writer.OutputFile = str(self._file)
            self._writer.NumImages = self._images
            self._writer.Start()
            self._wait(line, stop, patience)
            self._follow(stop)
            line.finish(show=True)
            return Outcome(self._file, str(self._writer.AcqMessage), self._complaint())

    def _wait_attached(self, stop: threading.Event) -> None:
        """The Tango server answers a moment before it has found the engine."""
        end = time.monotonic() + PATIENCE
        while self._writer.State() == tango.DevState.UNKNOWN and time.monotonic() < end:
            stop.wait(0.05)

    def _wait(self, line: ProgressLine, stop: threading.Event, patience: float) -> None:
        written, since = 0, time.monotonic()
        while not stop.wait(0.1) and self._writer.State() == tango.DevState.RUNNING:
            line.tick()
            now_written = self._writer.NumWritten
            if now_written != written:
                written, since = now_written, time.monotonic()
            elif time.monotonic() - since > patience:
                self._writer.Stop()
                return

    def _follow(self, stop: threading.Event) -> None:
        end = time.monotonic() + PATIENCE
        while self._complaint() and time.monotonic() < end and not stop.wait(0.1):
            pass

    def _progress(self) -> str:
        seen = self._http.seen
        return (
            f"{self._writer.NumWritten}/{self._images} | Tango {self._writer.State()} | "
            f"EPICS {self._epics.state} {self._epics.written} | "
            f"HTTP {f'{seen.acq_state} {seen.num_written}' if seen else '?'}"
        )

    def _complaint(self) -> str:
        """Where one of the front ends does not say that all images were written."""
        state, written = self._writer.State(), self._writer.NumWritten
        if state != tango.DevState.STANDBY or written != self._images:
            return f"Tango says {state}, {written} images: {self._writer.AcqMessage}"
        if (self._epics.state, self._epics.written) != ("FINISHED", self._images):
            return f"EPICS says {self._epics.state}, {self._epics.written} images"
        seen = self._http.seen
        if seen is None:
            return "HTTP says nothing"
        if not is_complete(seen.acq_result) or seen.num_written != self._images:
            return f"HTTP says {seen.acq_result}, {seen.num_written} images"
        return ""
