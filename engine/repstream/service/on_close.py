"""A command of the site, run each time that the file of an acquisition has been closed."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import threading

from repstream.parameters.catalogue import Group, Parameter, key_of
from repstream.protocol import Change, Engine, Event
from repstream.states import AcquisitionState

log = logging.getLogger(__name__)

ENDED = (AcquisitionState.FINISHED.value, AcquisitionState.FAILED.value)
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
        self._engine = engine
        self._acq_state = {
            key_of(Group.WRITER, slot, "acq_state"): slot for slot in engine.catalogue.slots(Group.WRITER)
        }
        self._subscription = engine.subscribe(self._on_event)

    def close(self) -> None:
        """Run no more; commands under way go on."""
        self._subscription.close()

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, Change):
            return
        for key, slot in self._acq_state.items():
            if event.values.get(key) in ENDED:
                self._begin(slot)

    def _begin(self, slot: int) -> None:
        values = self._engine.snapshot().values
        told = {p: values[p.key] for p in self._engine.catalogue.of(Group.WRITER, slot)}
        environment = {_variable(p): "" if value is None else str(value) for p, value in told.items()}
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


def _variable(parameter: Parameter) -> str:
    return f"REPSTREAM_{parameter.field.upper()}"
