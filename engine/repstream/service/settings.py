"""The settings of an engine, kept in a file from one start to the next."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from repstream.errors import Refused
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.file_names import has_number
from repstream.parameters.writer import MOST_FILE_NUMBER, WriterConfig
from repstream.service.start_count import StartCount

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""How soon a save that failed is tried again."""

CLOSE_SECONDS = 5.0
"""How long the end waits for the last save; a file system may hang for ever."""

LOOK_SECONDS = 2.0
"""How long a start looks for free file numbers; where the file system hangs it goes on without."""

MOST_NUMBERS = 10_000
"""How far a start looks for a free file number."""


class Settings:
    """The file at `path`, held by this engine alone until `close`.

    Every configuration given to `keep` is saved at once by a thread of its own, whole or not at
    all, and tried again while that fails; `on_failure` takes the reason, once for each. `starts` counts
    the starts of its data plane, in the file by which it holds the settings.
    Raises `Refused` where another engine holds the file, or the folder cannot be written.
    """

    def __init__(self, path: Path, on_failure: Callable[[str], None]) -> None:
        self._path = path
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._unsaved: Configuration | None = None
        self._closing = False
        beside = path.with_name(f".{path.name}.lock")
        try:
            self._held = os.fdopen(
                os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+", errors="replace"
            )
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.starts = StartCount(self._held)
        except BlockingIOError as error:
            self._held.close()
            raise Refused(
                str(path), "another engine keeps its settings there; give each engine a file of its own"
            ) from error
        except OSError as error:
            reason = f"settings cannot be kept there: {error.strerror or error}; name a file that is writable"
            raise Refused(str(path), reason) from error
        self._thread = threading.Thread(target=self._work, name="settings", daemon=True)
        self._thread.start()

    def load(self, model: type[Configuration]) -> Configuration | None:
        """What was saved last, None where nothing was; raises `Refused` for a file that is no `model`.

        A writer whose next file exists takes the next free number: an engine that was killed may
        have made the file and not saved the number.
        """
        return _with_free_numbers(storage.load(self._path, model)) if self._path.exists() else None

    def keep(self, configuration: Configuration) -> None:
        """Save this one, and no longer those before; never blocks."""
        with self._changed:
            self._unsaved = configuration
            self._changed.notify()

    def close(self) -> None:
        """Save what is not saved yet, and leave the file to the next engine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            log.error("the last settings were not saved: %s does not answer", self._path)
        self._held.close()

    def _work(self) -> None:
        said = ""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._unsaved is not None)
                configuration, self._unsaved = self._unsaved, None
            if configuration is None:
                return
            reason = self._save(configuration)
            if reason:
                if reason != said:
                    self._on_failure(f"the settings were not saved: {reason}")
                with self._changed:
                    if self._closing:
                        return
                    self._unsaved = self._unsaved or configuration
                    self._changed.wait(RETRY_SECONDS)  # a newer configuration is tried at once
            said = reason

    def _save(self, configuration: Configuration) -> str:
        try:
            storage.save(configuration, self._path)
        except Refused as error:
            return error.reason
        return ""


def _with_free_numbers(configuration: Configuration) -> Configuration:
    free: dict[str, WriterConfig] = {}
    looking = threading.Thread(
        target=lambda: free.update({n: _with_free_number(w) for n, w in configuration.writers.items()}),
        name="free file numbers",
        daemon=True,
    )
    looking.start()
    looking.join(LOOK_SECONDS)
    if looking.is_alive():
        log.warning("a folder does not answer; file numbers begin where they were saved")
        return configuration
    return configuration.model_copy(update={"writers": free})


def _with_free_number(writer: WriterConfig) -> WriterConfig:
    if writer.overwrite or not (writer.folder and writer.auto_increment and has_number(writer.file_template)):
        return writer
    free = writer
    for number in range(writer.file_number, min(writer.file_number + MOST_NUMBERS, MOST_FILE_NUMBER)):
        free = writer.numbered(number)
        if not Path(free.output_file).exists():
            return free
        log.warning("%s exists; the next file gets the next free number", free.output_file)
    return free
