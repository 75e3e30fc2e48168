"""A command of the site, run each time that the file of an acquisition has been closed."""

from __future__ import annotations

import logging
import shlex
import subprocess
import threading
from collections.abc import Mapping

from repstream import child
from repstream.link.endings import Endings
from repstream.parameters.facts import Value
from repstream.protocol import Engine

log = logging.getLogger(__name__)

TIME_LIMIT = 600.0
"""Seconds after which a command that goes on is ended."""


class CloseCommand:
    """Runs `command` with the file's full name as its last argument; `close` it after use.

    All values of the writer are in the environment, as ``REPSTREAM_`` and the
    parameter's name: ``REPSTREAM_ACQ_RESULT``. What the command prints and how it ends goes to the log;
    it holds up nothing, and the next file may be closed meanwhile. It is given at the start of the
    service and is no parameter, so that nobody can have a command run from a control system.

    Raises `ValueError` where the command's quotes do not match.
    """

    def __init__(self, engine: Engine, command: str) -> None:
        self._words = shlex.split(command)
        self._endings = Endings(engine, self._begin)

    def close(self) -> None:
        """Run no more; commands under way go on."""
        self._endings.close()

    def _begin(self, fields: Mapping[str, Value]) -> None:
        environment = {_variable(field): "" if v is None else str(v) for field, v in fields.items()}
        file = environment["REPSTREAM_FULL_FILE_NAME"]
        threading.Thread(target=self._run, args=(file, environment), name="on close", daemon=True).start()

    def _run(self, file: str, environment: dict[str, str]) -> None:
        command = [*self._words, file]
        try:
            ended = subprocess.run(
                command,
                env={**child.environment(), **environment},
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
