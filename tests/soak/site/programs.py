"""Programs that are started again when they end, as systemd and procServ do, and what they take."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MOST_FIRST_WORDS = 100_000
"""Bytes from its start in which a program says that it is up."""
PAUSE = 0.5
"""Seconds from the end of a program to its next start."""


class Program:
    """A command that is kept running by `tend`; all that it prints goes to a file, NAME.log in `folder`."""

    def __init__(
        self, name: str, command: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.starts = name, 0
        self._command = [*map(str, command)]
        self._environment = {**os.environ, **(environment or {})}
        self.log = folder / f"{name.replace(' ', '-')}.log"
        self._begun_at = 0
        self._due = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._begun_at = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self.starts += 1
        self._due = 0.0

    def has_said(self, words: str) -> bool:
        """Whether it is there, and has printed these words since its last start."""
        if self._process is None or self._process.poll() is not None:
            return False
        with self.log.open("rb") as log:
            log.seek(self._begun_at)
            return words.encode() in log.read(MOST_FIRST_WORDS)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def tend(self) -> None:
        """Start it again, a moment after its end."""
        if self._process is None or self._process.poll() is None:
            return
        now = time.monotonic()
        if not self._due:
            self._due = now + PAUSE
        elif now >= self._due:
            self.start()

    def stop(self, patience: float = 30.0) -> bool:
        """End it in order; whether it ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return True
        send(process.pid, signal.SIGCONT)
        send(process.pid, signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        return True


def send(pid: int, number: signal.Signals) -> None:
    """A signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Taken(NamedTuple):
    """What a process takes: bytes of memory, threads, descriptors."""

    memory: int
    threads: int
    descriptors: int


def taken_by(pid: int) -> Taken | None:
    """None where the process is gone."""
    place = Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        descriptors = len(list((place / "fd").iterdir()))
        return Taken(int(status["VmRSS"].split()[0]) * 1024, int(status["Threads"]), descriptors)
    except (OSError, KeyError):
        return None


def command_of(pid: int) -> str:
    """The command line of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def marked(mark: str) -> Iterator[int]:
    """The living processes, but this one, that have `mark` in their environment."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(place.name) != os.getpid() and mark.encode() in (place / "environ").read_bytes():
                yield int(place.name)
