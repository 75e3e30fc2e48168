"""A command of the site, run each time that the file of an acquisition has been closed."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import threading

from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.status import NEWEST, PREVIOUS
from repstream.protocol import Change, Engine, Event
from repstream.states import ENDED

log = logging.getLogger(__name__)

TIME_LIMIT = 600.0
"""Seconds after which a command that goes on is ended."""


class CloseCommand:
    """Runs `command` with the file's full name as its last argument; `close` it after use.

    Everything the engine tells of the writer stands in the environment, as ``REPSTREAM_`` and the
    parameter's name: ``REPSTREAM_ACQ_RESULT``. What the command prints and how it ends goes to the log;
    it holds up nothing, and the next file may be closed meanwhile. It is given at the start of the
    service and is no parameter, so that nobody can have a command run from a control system.

    Raises `ValueError` where the command's quotes do not match.
    """

    def __init__(self, engine: Engine, command: str) -> None:
        self._words = shlex.split(command)
        self._told = {
            slot: list(engine.catalogue.of(Group.WRITER, slot))
            for slot in engine.catalogue.slots(Group.WRITER)
        }
        self._lock = threading.Lock()
        with self._lock:
            self._subscription = engine.subscribe(self._on_event)
            snapshot = engine.snapshot()
            # Followed change by change: by the time that an end is heard of, the next may have begun.
            self._values, self._since = snapshot.values, snapshot.sequence

    def close(self) -> None:
        """Run no more; commands under way go on."""
        self._subscription.close()

    def _on_event(self, event: Event) -> None:
        with self._lock:
            if not isinstance(event, Change) or event.sequence <= self._since:
                return
        self._values.update(event.values)
        for slot in self._told:
            head = key_of(Group.WRITER, slot, "")
            for which in (PREVIOUS, NEWEST):
                # One that had ended before it became the previous one has been told of already.
                shifted = which == PREVIOUS and f"{head}{PREVIOUS}acquisition_id" in event.values
                if event.values.get(f"{head}{which}acq_state") in ENDED and not shifted:
                    self._begin(slot, which)

    def _begin(self, slot: int, which: str) -> None:
        values = {parameter.field: self._values[parameter.key] for parameter in self._told[slot]}
        if which == PREVIOUS:
            values |= {f.removeprefix(PREVIOUS): v for f, v in values.items() if f.startswith(PREVIOUS)}
        environment = {_variable(field): "" if v is None else str(v) for field, v in values.items()}
        file = environment["REPSTREAM_FULL_FILE_NAME"]
        threading.Thread(target=self._run, args=(file, environment), name="on close", daemon=True).start()

    def _run(self, file: str, environment: dict[str, str]) -> None:
        command = [*self._words, file]
        try:
            ended = subprocess.run(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIME_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("the command for closed files failed: %s", error)
            return
        level = logging.ERROR if ended.returncode else logging.INFO
        said = (ended.stdout + ended.stderr).strip()
        log.log(level, "%s ended with %d: %.2000s", shlex.join(command), ended.returncode, said)


def _variable(field: str) -> str:
    return f"REPSTREAM_{field.upper()}"
