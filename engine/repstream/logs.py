"""Log lines on standard error, without ever waiting for who reads them."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import threading
from contextlib import suppress

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

FORMAT_VARIABLE = "REPSTREAM_LOG_FORMAT"
"""The environment variable that says ``text`` or ``json``; the processes of an engine inherit it."""

ABOUT = ("engine", "subject", "acquisition_id")
"""What a record may carry beside its text, for who reads lines by program."""

MOST_WAITING = 10_000
"""Lines that are kept for a reader that takes none."""

LAST_PATIENCE = 1.0
"""Seconds that the end of the process waits for its last lines to be taken."""

_STDERR = 2


def log_to_stderr(level: int = logging.INFO) -> None:
    """Have all loggers of this process write to standard error; for a process's main.

    A terminal that was halted with Ctrl-S, or a pipe that nobody empties, holds up whoever writes to
    it, and with an engine the detector. So a thread of its own writes, and lines beyond
    `MOST_WAITING` are left out and counted. Does nothing where logging is set up already.

    `logging.handlers.QueueListener` does not do: where its queue is full the handler reports that on standard
    error, which is what hangs, and its `stop` waits without end for a reader that takes nothing.
    """
    if not logging.root.handlers:
        handler = _Stderr()
        as_json = os.environ.get(FORMAT_VARIABLE) == "json"
        handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(FORMAT))
        logging.basicConfig(level=level, handlers=[handler])


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON: ``time`` (Unix), ``level``, ``logger``, ``process``, ``text``, `ABOUT`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "text": record.getMessage(),
            **{name: value for name in ABOUT if (value := getattr(record, name, None)) is not None},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Stderr(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[bytes | threading.Event] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        # Signals are for the threads that wait for them; a new one takes over what is blocked.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        except queue.Full:
            self._left_out += 1
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait a moment until all is written that waits."""
        written = threading.Event()
        with suppress(queue.Full):
            self._lines.put_nowait(written)
            written.wait(LAST_PATIENCE)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            _write(line)
            if self._left_out and self._lines.empty():
                count, self._left_out = self._left_out, 0
                _write(f"{count} log lines were left out: nobody took them\n".encode())


def _write(line: bytes) -> None:
    # Not through sys.stderr: who ends the process must not wait for the lock that a halted write holds.
    with suppress(OSError):
        while line:
            line = line[os.write(_STDERR, line) :]
