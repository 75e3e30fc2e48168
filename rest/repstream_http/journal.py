"""What happened since this server watches an engine: figures of the last minutes, acquisitions, a log.

The engine keeps the present; this is collected from its events, so it begins with the server and is
lost with it. Where the engine is lost for a while, so is what happened then, and the log says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from repstream.link.history import History, Record
from repstream.parameters.facts import Value
from repstream.parameters.picture import REGIONS
from repstream.protocol import Change, Engine, Event

ACQUISITIONS = 20
ENTRIES = 2000
SAMPLES = 300
PERIOD = 1.0
"""Seconds between two samples of the figures."""

FIGURES = frozenset(
    {"rate", "throughput", "queue_use", "dropped", "missing", "malformed"}
    | {f"roi{n}_sum" for n in range(1, REGIONS + 1)}
)
"""The fields that are sampled, of every group that has them."""


class Entry(NamedTuple):
    """A line of the log; `level` is info, warning or error."""

    time: float
    level: str
    subject: str
    text: str


class Journal:
    """The record of one engine, whose events are given to `take`; `open` before, `close` after use.

    `history`: where its acquisitions are kept already, which is then left open. Thread-safe.
    """

    def __init__(self, engine: Engine, history: History | None = None) -> None:
        self.since = time.time()
        self._engine = engine
        self._lock = threading.Lock()
        self._values: dict[str, Value] = {}
        self._history = history or History(engine)
        self._own_history = history is None
        self._entries: deque[Entry] = deque(maxlen=ENTRIES)
        self._times: deque[float] = deque(maxlen=SAMPLES)
        self._figures: dict[str, deque[float | None]] = {}
        self._end = threading.Event()
        self._sampler = threading.Thread(target=self._sample_all, name="figures", daemon=True)

    def open(self) -> None:
        """Begin with what the engine says now."""
        with self._lock:
            self._values = {**self._engine.snapshot().values, **self._values}
        self._sampler.start()

    def close(self) -> None:
        self._end.set()
        if self._own_history:
            self._history.close()
        if self._sampler.is_alive():
            self._sampler.join()

    def acquisitions(self) -> list[Record]:
        """The last acquisitions that have ended, the newest first."""
        return self._history.last(ACQUISITIONS)

    def entries(self) -> list[Entry]:
        """The log, oldest first."""
        with self._lock:
            return list(self._entries)

    def figures(self) -> tuple[list[float], dict[str, list[float | None]]]:
        """Unix times of the samples, and the samples by key; None where there was no value."""
        with self._lock:
            times = list(self._times)
            return times, {key: _padded(values, len(times)) for key, values in self._figures.items()}

    def take(self, event: Event) -> None:
        """Note what an event says."""
        if not isinstance(event, Change):
            return
        with self._lock:
            before = {key: self._values.get(key) for key in event.values}
            self._values.update(event.values)
            self._entries.extend(self._lines(event, before))

    def _lines(self, event: Change, before: Mapping[str, Value]) -> Iterator[Entry]:
        for key, value in event.values.items():
            was = before[key]
            if value == was:
                continue
            head, _, field = key.rpartition(".")
            subject = self._subject(head)
            said = _line(self._values, head, field, value, was)
            if said is not None:
                yield Entry(event.time, said[0], subject, said[1])

    def _subject(self, head: str) -> str:
        name = self._values.get(f"{head}.name") if "." in head else None
        return f"{head.partition('.')[0]}.{name}" if name else head

    def _sample_all(self) -> None:
        while not self._end.wait(PERIOD):
            values = self._engine.snapshot().values
            with self._lock:
                self._sample(values)

    def _sample(self, values: Mapping[str, Value]) -> None:
        self._times.append(time.time())
        for key, value in values.items():
            head, _, field = key.rpartition(".")
            if field not in FIGURES or (value is None and key not in self._figures):
                continue
            if "." in head and values.get(f"{head}.name", "") is None:
                continue  # an empty slot
            kept = self._figures.setdefault(key, deque(maxlen=SAMPLES))
            number = float(value) if isinstance(value, int | float) else None
            kept.extend([None] * (len(self._times) - 1 - len(kept)))
            kept.append(number)


def _line(
    values: Mapping[str, Value], head: str, field: str, value: Value, was: Value
) -> tuple[str, str] | None:
    """Level and text of a change that belongs into the log; None for all others."""
    match head.partition(".")[0], field:
        case "engine", "state":
            level = {"ERROR": "error", "UNKNOWN": "error"}.get(str(value), "info")
            return level, f"{was or 'UNKNOWN'} → {value}"
        case "engine", "last_error" if value:
            return "error", str(value)
        case "engine", "last_command" if value:
            refused = "refused" in str(value)
            return "warning" if refused else "info", f"{value}, by {values.get('engine.last_command_by')}"
        case "engine", "losing":
            return ("warning", "losing frames") if value else ("info", "no frame was lost in the last 5 s")
        case "engine", "locked_by":
            return "info", f"control lock: {value}" if value else "control lock given back"
        case "source", "connected" if was is not None:
            return ("info", "a detector is connected") if value else ("warning", "no detector is connected")
        case "source", "missing" | "malformed" if _rose(value, was):
            what = (
                f"{_number(value, 'frame')} missing"
                if field == "missing"
                else f"{_number(value, 'message')} malformed"
            )
            return "warning", f"{what} since the start"
        case "streams" | "writers", "dropped" if _rose(value, was):
            return (
                "warning",
                f"{_number(value, 'frame')} dropped: {values.get(f'{head}.dropped_reasons') or ''}",
            )
        case "writers", "acq_state":
            bad = value == "FAILED" and values.get(f"{head}.acq_result") != "aborted"
            said = " ".join(
                str(values.get(f"{head}.{name}") or "") for name in ("full_file_name", "acq_message")
            )
            return "error" if bad else "info", f"{value} {said}".strip()
        case "writers", "waiting" if value:
            flushing = values.get(f"{head}.acq_state") == "FLUSHING_IMAGES"
            return "info" if flushing else "warning", str(value)
        case "writers", "space_warning" if value:
            return "warning", str(value)
    return None


def _number(value: Value, thing: str) -> str:
    return f"{value} {thing}" if value == 1 else f"{value} {thing}s"


def _padded(values: Iterable[float | None], length: int) -> list[float | None]:
    """The samples, with None before them for the time before there were any."""
    found = list(values)
    return [*[None] * (length - len(found)), *found]


def _rose(value: Value, was: Value) -> bool:
    return isinstance(value, int) and value > (was if isinstance(was, int) else 0)
