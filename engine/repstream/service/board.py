"""The board: every value of the engine with its time, and the numbered changes to it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion, Reading, Snapshot


class Board:
    """Values by key. One thread changes them; `reading` and `snapshot` are for any.

    `epoch` names the life of the engine; sequence numbers count its events from 1.
    """

    def __init__(self, catalogue: Catalogue, epoch: str, time: float) -> None:
        self.values: dict[str, Value] = {
            p.key: None if p.group in catalogue.named else p.default for p in catalogue.parameters.values()
        }
        self._times = dict.fromkeys(self.values, time)
        self._epoch = epoch
        self._sequence = 0
        self._last = time
        self._lock = threading.RLock()

    def together(self) -> AbstractContextManager[object]:
        """Within the block changes come one by one, but readers see none of them before all are made."""
        return self._lock

    def put(self, values: Mapping[str, Value], time: float) -> Change | None:
        """Note new values; the change that came of it, or None where all were the same."""
        known = self.values
        different = {key: value for key, value in values.items() if known[key] != value}
        if not different:
            return None
        with self._lock:
            known.update(different)
            self._times.update(dict.fromkeys(different, time))
            self._sequence += 1
            self._last = time
        return Change(self._epoch, self._sequence, time, different)

    def completion(
        self, handle_id: str, command: str, ok: bool, message: str, *, time: float, result: str, of: str
    ) -> Completion:
        """The numbered event of a command's end; `result` is that of the acquisition `of`, if any."""
        with self._lock:
            self._sequence += 1
        return Completion(self._epoch, self._sequence, time, handle_id, command, ok, message, result, of)

    def reading(self, key: str) -> Reading | None:
        """A value with its time; None where there is no such key."""
        with self._lock:
            return Reading(self.values[key], self._times[key]) if key in self.values else None

    def snapshot(self) -> Snapshot:
        """A copy of everything."""
        with self._lock:
            return Snapshot(self._epoch, self._sequence, self._last, dict(self.values), dict(self._times))
