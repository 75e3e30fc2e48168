"""What happened to an engine, a line for each change of state, loss, command and error."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from repstream.link.happenings import happened
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Role, Value
from repstream.protocol import Change, Engine, Event

MOST = 2000
"""Lines that are kept."""

LEVELS: Mapping[str, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Entry(NamedTuple):
    """A line; `level` is info, warning or error, `acquisition_id` empty where it is about none.

    `logged`: the engine logs it itself.
    """

    time: float
    level: str
    subject: str
    text: str
    acquisition_id: str = ""
    logged: bool = False


class Chronicle:
    """The lines of one engine, whose events are given to `take`. Thread-safe.

    It begins with what is given to `begin`; where the engine is lost for a while, so is what happened
    then, and a line says so.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def begin(self) -> None:
        """Begin with what the engine says now; no line is made of that."""
        with self._lock:
            self._values = {**self._engine.snapshot().values, **self._values}

    def take(self, event: Event) -> list[Entry]:
        """Note what an event says; the new lines."""
        if not isinstance(event, Change):
            return []
        with self._lock:
            before = dict(self._values)
            self._values.update(event.values)
            lines = list(self._lines(event, before))
            self._entries.extend(lines)
        return lines

    def entries(
        self, *, after: float = 0.0, level: str = "info", subject: str = "", acquisition_id: str = ""
    ) -> list[Entry]:
        """The lines, oldest first: later than `after` (Unix), of this level or worse, of what is named.

        `subject` is one such as ``writers.main``, or a whole group: ``writers``.
        """
        least = LEVELS[level]
        with self._lock:
            return [
                entry
                for entry in self._entries
                if entry.time > after
                and LEVELS[entry.level] >= least
                and subject in ("", entry.subject, entry.subject.partition(".")[0])
                and acquisition_id in ("", entry.acquisition_id)
            ]

    def _lines(self, event: Change, before: Mapping[str, Value]) -> Iterator[Entry]:
        catalogue = self._engine.catalogue
        changed = {(p.group, p.slot): None for key in event.values if (p := catalogue.parameters.get(key))}
        for group, slot in changed:
            subject = self._subject(catalogue, group, slot)
            for line in happened(group, slot, self._values, before):
                yield Entry(event.time, line.level, subject, line.text, line.acquisition_id, line.logged)

    def _subject(self, catalogue: Catalogue, group: str, slot: int) -> str:
        if not slot:
            return group
        name = self._values.get(catalogue.key(Role.NAME, group, slot)) if group in catalogue.named else None
        return f"{group}.{name or slot}"


class EngineLog:
    """Writes the lines of an engine, but what that logs itself, to the log of this process, until `close`.

    Each record carries `engine`, `subject` and `acquisition_id`, for `--log-format json`.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._log = logging.getLogger("repstream.engine")
        self._name = name
        self._chronicle = Chronicle(engine)
        self._subscription = engine.subscribe(self._take)
        self._chronicle.begin()

    def close(self) -> None:
        self._subscription.close()

    def _take(self, event: Event) -> None:
        for entry in self._chronicle.take(event):
            if entry.logged:
                continue
            about: dict[str, Any] = {"engine": self._name, "subject": entry.subject}
            acquisition = f" [{entry.acquisition_id}]" if entry.acquisition_id else ""
            if entry.acquisition_id:
                about["acquisition_id"] = entry.acquisition_id
            said = (entry.subject, acquisition, entry.text)
            self._log.log(LEVELS[entry.level], "%s%s: %s", *said, extra=about)
