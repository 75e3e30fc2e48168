"""Instances that run for ever: started at once, and again when they have ended."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from repstream.errors import InvalidValue, Refused, RepstreamError
from repstream.instances.saved import storing
from repstream.instances.saved.names import check_name
from repstream.parameters import storage

log = logging.getLogger(__name__)

FILE = "permanent_instances.json"
INTERVAL = 10.0
"""Seconds between two looks at what should run."""

OFF = "#"
"""Begins the id or the name of what is kept in the file and not started."""


class Permanent:
    """The permanent instances of a server: saved configurations by instance id.

    `file` keeps them. `start` starts an instance of a saved configuration, and does nothing where it runs;
    what it raises is logged, and tried again. Use between `open` and `close`; thread-safe.
    """

    def __init__(self, file: Path, start: Callable[[str, str], object]) -> None:
        self._file = file
        self._start = start
        self._stop = threading.Event()
        self._due = threading.Event()
        self._reasons: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="permanent instances", daemon=True)

    def saved(self) -> dict[str, str]:
        """Names by id, as they were given; raises `Refused` where the file cannot be read."""
        if not self._file.is_file():
            return {}
        return _checked(storage.as_object(storage.read_text(self._file), str(self._file)))

    def save(self, wanted: Any) -> dict[str, str]:
        """Take these in place of all that were; they are started now. Raises `InvalidValue`."""
        checked = _checked(wanted)
        storing.replace(self._file, (json.dumps(checked, indent=1) + "\n").encode())
        self._due.set()
        return checked

    def wanted(self) -> dict[str, str]:
        """The configurations of what is to run, by id: those that are not off, with their names."""
        return {
            each: name or each
            for each, name in self.saved().items()
            if not each.startswith(OFF) and not name.startswith(OFF)
        }

    def open(self) -> None:
        """Begin to look after them."""
        self._thread.start()

    def close(self) -> None:
        """Start none any more; those that run go on."""
        self._stop.set()
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._due.clear()
            self._look()
            self._due.wait(INTERVAL)

    def _look(self) -> None:
        try:
            wanted = self.wanted()
        except Refused as error:
            self._say(str(self._file), error.reason)
            return
        for instance_id, name in wanted.items():
            try:
                self._start(instance_id, name)
                self._reasons.pop(instance_id, None)
            except (RepstreamError, TimeoutError) as error:
                self._say(instance_id, str(error))

    def _say(self, subject: str, reason: str) -> None:
        if self._reasons.get(subject) != reason:
            log.error("permanent instance %s: %s", subject, reason)
        self._reasons[subject] = reason


def _checked(wanted: Any) -> dict[str, str]:
    if not isinstance(wanted, Mapping) or not all(isinstance(name, str) for name in wanted.values()):
        raise InvalidValue("permanent", f"must be an object of names by instance id, not {wanted!r:.80}")
    for each in wanted:
        check_name("instance", each.removeprefix(OFF))
    return dict(wanted)
