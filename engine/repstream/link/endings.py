"""Hearing of each acquisition that has ended, of whatever engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Role, Shown, Value
from repstream.parameters.writer_status import NEWEST, PREVIOUS, AcquisitionStatus
from repstream.protocol import Change, Engine, Event
from repstream.states import ENDED

HEARD = 100
"""Acquisitions that are known to have ended."""


class Endings:
    """Calls back for each acquisition whose file has been closed; `close` it after use.

    `callback` gets the writer's fields as they were then, those of the acquisition under their own
    names, whether it was the newest one or the one before. It is called from the thread of the
    engine's events.
    """

    def __init__(self, engine: Engine, callback: Callable[[Mapping[str, Value]], None]) -> None:
        self._callback = callback
        self._catalogue = engine.catalogue
        self._fields = {
            slot: [parameter.field for parameter in engine.catalogue.of(Group.WRITER, slot)]
            for slot in engine.catalogue.slots(Group.WRITER)
        }
        self._heard: deque[Value] = deque(maxlen=HEARD)
        self._lock = threading.Lock()
        with self._lock:
            self._subscription = engine.subscribe(self._on_event)
            snapshot = engine.snapshot()
            # Followed change by change: by the time that an end is heard of, the next may have begun.
            self._values, self._epoch, self._since = snapshot.values, snapshot.epoch, snapshot.sequence
            self._heard.extend(fields["acquisition_id"] for fields in self._ended_in(snapshot.values))

    def close(self) -> None:
        """Call back no more."""
        self._subscription.close()

    def _on_event(self, event: Event) -> None:
        with self._lock:
            if not isinstance(event, Change):
                return
            if event.epoch == self._epoch and event.sequence <= self._since:
                return
        self._values.update(event.values)
        for fields in self._ended_in(event.values):
            self._hear(fields)

    def _ended_in(self, values: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
        """The fields of each acquisition that these values say has ended."""
        for slot in self._fields:
            for which in (PREVIOUS, NEWEST):
                if values.get(self._state_key(slot, which)) in ENDED:
                    yield self._of(slot, which)

    def _hear(self, fields: Mapping[str, Value]) -> None:
        """Call back, but once for each: as the previous one, or found again, it is heard of once more."""
        if fields["acquisition_id"] not in self._heard:
            self._heard.append(fields["acquisition_id"])
            self._callback(fields)

    def _state_key(self, slot: int, which: Shown) -> str:
        state = self._catalogue.parameters[self._catalogue.key(Role.ACQUISITION, Group.WRITER, slot)]
        return key_of(Group.WRITER, slot, f"{which.prefix}{state.field}")

    def _of(self, slot: int, which: Shown) -> dict[str, Value]:
        values = {field: self._values[key_of(Group.WRITER, slot, field)] for field in self._fields[slot]}
        return values | AcquisitionStatus.of(values, which.prefix).values()
