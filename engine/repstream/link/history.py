"""The last acquisitions of an engine, and what became of them; kept in a file where there is one."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue

from repstream.link.endings import Endings
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role, Value
from repstream.parameters.writer_status import AcquisitionStatus
from repstream.protocol import Engine

log = logging.getLogger(__name__)

MOST = 1000
"""Acquisitions that are kept."""

Record = Mapping[str, Value]
"""The writer's name, and the fields that a writer shows of an acquisition after the next has begun."""


class History:
    """The acquisitions of `engine` that have ended; `close` it after use. Thread-safe.

    With a `path` they are found again after a restart: one JSON object a line, appended when an
    acquisition has ended, by a thread of its own. A line that is not understood is left out, a file
    that cannot be read or written is reported in the log; neither holds up anything.
    """

    def __init__(self, engine: Engine, path: Path | None = None) -> None:
        self._path = path
        self._fields = _kept_fields(engine)
        self._records: deque[Record] = deque(_read(path) if path is not None else [], MOST)
        self._lock = threading.Lock()
        self._to_write: SimpleQueue[Record | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="history", daemon=True)
        self._thread.start()
        self._endings = Endings(engine, self._note)

    def last(self, number: int) -> list[Record]:
        """The last `number` acquisitions, the newest first."""
        with self._lock:
            return list(self._records)[::-1][:number]

    def find(self, acquisition_id: str) -> Record | None:
        """The acquisition with this id, None where it is not known."""
        return next((r for r in self.last(MOST) if r["acquisition_id"] == acquisition_id), None)

    def close(self) -> None:
        """Hear of no more, and write what is not written yet."""
        self._endings.close()
        self._to_write.put(None)
        self._thread.join(5)

    def _note(self, fields: Mapping[str, Value]) -> None:
        record = {field: fields[field] for field in self._fields}
        with self._lock:
            self._records.append(record)
        self._to_write.put(record)

    def _write_all(self) -> None:
        while (record := self._to_write.get()) is not None:
            if self._path is not None:
                self._write(self._path, record)

    def _write(self, path: Path, record: Record) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(record)}")  # behind whatever a kill has left
        except OSError as error:
            log.error("%s: an acquisition was not noted: %s", path, error.strerror or error)


def _kept_fields(engine: Engine) -> list[str]:
    """The writer's name, and all that is said about an acquisition."""
    names = [p.field for p in engine.catalogue.of(Group.WRITER, 1) if p.role is Role.NAME]
    return [*names, *AcquisitionStatus.model_fields]


def _read(path: Path) -> list[Record]:
    """What the file holds of the last `MOST` acquisitions; one that has grown to twice that is cut."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        if len(lines) > 2 * MOST:
            beside = path.with_name(f".{path.name}.tmp")
            beside.write_text("\n".join(lines[-MOST:]), encoding="utf-8")
            beside.replace(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("%s: the last acquisitions cannot be read: %s", path, error.strerror or error)
        return []
    return [record for line in lines[-MOST:] if (record := _parsed(line)) is not None]


def _parsed(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:  # blank, or cut by a kill
        return None
    return record if isinstance(record, dict) and record.get("acquisition_id") else None
