"""What happened since this server watches an engine: figures of the last minutes, acquisitions, a log.

The engine keeps the present; this is collected from its events, so it begins with the server and is
lost with it. Where the engine is lost for a while, so is what happened then, and the log says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping

from repstream.link.chronicle import Chronicle
from repstream.link.happenings import OUTPUT_RATES
from repstream.link.history import History, Record
from repstream.parameters.facts import Value
from repstream.parameters.picture import REGIONS
from repstream.protocol import Engine, Event

ACQUISITIONS = 20
SAMPLES = 300
PERIOD = 1.0
"""Seconds between two samples of the figures."""

FIGURES = frozenset(
    OUTPUT_RATES | {"dropped", "missing", "malformed"} | {f"roi{n}_sum" for n in range(1, REGIONS + 1)}
)
"""The fields that are sampled, of every group that has them."""


class Journal:
    """The record of one engine, whose events are given to `take`; `open` before, `close` after use.

    `history`: where its acquisitions are kept already, which is then left open. Thread-safe.
    """

    def __init__(self, engine: Engine, history: History | None = None) -> None:
        self.since = time.time()
        self._engine = engine
        self._lock = threading.Lock()
        self.log = Chronicle(lambda: engine.catalogue)
        self._history = history or History(engine)
        self._own_history = history is None
        self._clocks: deque[float] = deque(maxlen=SAMPLES)
        self._figures: dict[str, deque[float | None]] = {}
        self._end = threading.Event()
        self._sampler = threading.Thread(target=self._sample_all, name="figures", daemon=True)

    def open(self) -> None:
        """Begin with what the engine says now."""
        self.log.begin(self._engine.snapshot().values)
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

    def figures(self) -> tuple[list[float], dict[str, list[float | None]]]:
        """Unix times of the samples, and the samples by key; None where there was no value."""
        with self._lock:
            # Apart as they were taken, wherever the clock was set in between.
            lead = time.time() - time.monotonic()
            times = [clock + lead for clock in self._clocks]
            return times, {key: _padded(values, len(times)) for key, values in self._figures.items()}

    def take(self, event: Event) -> None:
        """Note what an event says."""
        self.log.take(event)

    def _sample_all(self) -> None:
        while not self._end.wait(PERIOD):
            values = self._engine.snapshot().values
            with self._lock:
                self._sample(values)

    def _sample(self, values: Mapping[str, Value]) -> None:
        self._clocks.append(time.monotonic())
        for key, value in values.items():
            head, _, field = key.rpartition(".")
            if field not in FIGURES or (value is None and key not in self._figures):
                continue
            if "." in head and values.get(f"{head}.name", "") is None:
                continue  # an empty slot
            kept = self._figures.setdefault(key, deque(maxlen=SAMPLES))
            number = float(value) if isinstance(value, int | float) else None
            kept.extend([None] * (len(self._clocks) - 1 - len(kept)))
            kept.append(number)


def _padded(values: Iterable[float | None], length: int) -> list[float | None]:
    """The samples, with None before them for the time before there were any."""
    found = list(values)
    return [*[None] * (length - len(found)), *found]
