"""The board: every value of the engine with its time, and the numbered changes to it."""

from __future__ import annotations

from collections.abc import Mapping

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion, Snapshot


class Board:
    """Values by key. Not thread-safe: its owner holds a lock around every call.

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

    def put(self, values: Mapping[str, Value], time: float) -> Change | None:
        """Note new values; the change that came of it, or None where all were the same."""
        known = self.values
        different = {key: value for key, value in values.items() if known[key] != value}
        if not different:
            return None
        known.update(different)
        for key in different:
            self._times[key] = time
        self._sequence += 1
        self._last = time
        return Change(self._epoch, self._sequence, time, different)

    def completion(self, handle_id: str, command: str, ok: bool, message: str, time: float) -> Completion:
        """The numbered event of a command's end."""
        self._sequence += 1
        return Completion(self._epoch, self._sequence, time, handle_id, command, ok, message)

    def time_of(self, key: str) -> float:
        """Unix seconds of the last change of a value."""
        return self._times[key]

    def snapshot(self) -> Snapshot:
        """A copy of everything."""
        return Snapshot(self._epoch, self._sequence, self._last, dict(self.values), dict(self._times))
