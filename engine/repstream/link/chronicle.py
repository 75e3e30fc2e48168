"""What happened to an engine, a line for each change of state, loss, command and error."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from repstream.link.happenings import LOSSES, Line, happened
from repstream.parameters.catalogue import Catalogue, key_of, readable_time
from repstream.parameters.facts import Role, Value
from repstream.protocol import Change, Engine, Event

MOST = 2000
"""Lines that are kept."""

MOST_ASKED = 1000
"""Lines that are shown where nobody says how many."""

LOSS_INTERVAL = 1.0
"""Seconds between two lines about losses of the same source, stream or writer, at least."""

Place = tuple[str, int]
"""A group of the catalogue, and its slot."""

WORDS = ("level", "subject", "acquisition", "last", "text")

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

    def __str__(self) -> str:
        acquisition = f" [{self.acquisition_id}]" if self.acquisition_id else ""
        return f"{readable_time(self.time)} {self.level} {self.subject}{acquisition}: {self.text}"


class Choice(NamedTuple):
    """Which lines are wanted: of this `level` or worse, of what is named, the newest `last` of them.

    `subject` is one such as ``writers.main``, or a whole group: ``writers``. `text` is part of the text,
    in capitals or not.
    """

    level: str = "info"
    subject: str = ""
    acquisition_id: str = ""
    text: str = ""
    last: int = MOST_ASKED

    def holds(self, entry: Entry) -> bool:
        """Whether a line is one of these."""
        return (
            LEVELS[entry.level] >= LEVELS[self.level]
            and self.subject in ("", entry.subject, entry.subject.partition(".")[0])
            and self.acquisition_id in ("", entry.acquisition_id)
            and self.text.casefold() in entry.text.casefold()
        )


def choice_of(words: str) -> Choice:
    """What words such as ``level=warning subject=writers.main last=100`` ask for.

    ``acquisition`` stands for the id. ``text`` is the last word, and all that follows belongs to it. Raises
    `ValueError` for others.
    """
    before, _, text = f" {words}".partition(" text=")
    given = {name: value for name, _, value in (word.partition("=") for word in before.split())}
    if unknown := given.keys() - WORDS:
        raise ValueError(f"{min(unknown)!r} is none of {', '.join(WORDS)}; such as level=warning last=100")
    level, last = given.get("level", "info"), given.get("last", str(MOST_ASKED))
    if level not in LEVELS:
        raise ValueError(f"level={level} must be one of {', '.join(LEVELS)}")
    if not last.isdecimal() or not int(last):
        raise ValueError(f"last={last} must be a number from 1 on")
    return Choice(level, given.get("subject", ""), given.get("acquisition", ""), text.strip(), int(last))


class Chronicle:
    """The lines of one engine, whose events are given to `take`. Thread-safe.

    It begins with what is given to `begin`; where the engine is lost for a while, so is what happened
    then, and a line says so. `catalogue` is asked for each time: an engine elsewhere may come back with
    another one.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}
        self._lost: dict[Place, float] = {}  # when losses were said last
        self._held: dict[Place, dict[str, Value]] = {}  # the counts that were said, where more is to be said
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def begin(self, values: Mapping[str, Value]) -> None:
        """Begin with what the engine says now; no line is made of that."""
        with self._lock:
            self._values = {**values, **self._values}

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

    def entries(self, choice: Choice | None = None, after: float = 0.0) -> list[Entry]:
        """The lines that are chosen, all without a choice, oldest first and later than `after` (Unix)."""
        with self._lock:
            entries = [entry for entry in self._entries if entry.time > after]
        if choice is None:
            return entries
        return [entry for entry in entries if choice.holds(entry)][-choice.last :]

    def chosen(self, words: str) -> list[Entry]:
        """The lines that words ask for; raises `ValueError` (see `choice_of`)."""
        return self.entries(choice_of(words))

    def _lines(self, event: Change, before: Mapping[str, Value]) -> Iterator[Entry]:
        catalogue = self._catalogue()
        changed = {(p.group, p.slot): None for key in event.values if (p := catalogue.parameters.get(key))}
        for place in {**self._held, **changed}:
            subject = self._subject(catalogue, *place)
            for line in self._of(place, event.time, before):
                yield Entry(event.time, line.level, subject, line.text, line.acquisition_id, line.logged)

    def _of(self, place: Place, time: float, before: Mapping[str, Value]) -> list[Line]:
        """What is to be said of a group and slot. Losses alone wait until a second after the last ones."""
        held = self._held.pop(place, {})
        lines = list(happened(*place, self._values, {**before, **held}))
        lost = [line.loss for line in lines]
        if lost and all(lost) and abs(time - self._lost.get(place, -math.inf)) < LOSS_INTERVAL:
            self._held[place] = held or {key: before.get(key) for key in (key_of(*place, f) for f in LOSSES)}
            return []
        if any(lost):
            self._lost[place] = time
        return lines

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
        self._chronicle = Chronicle(lambda: engine.catalogue)
        self._subscription = engine.subscribe(self._take)
        self._chronicle.begin(engine.snapshot().values)

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
