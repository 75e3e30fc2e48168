"""The log of an engine as a table: monitored as a whole, or called for what one wants of it."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Iterable, Mapping
from typing import Any

from p4p import Value
from p4p.nt import NTTable
from p4p.server import ServerOperation
from p4p.server.thread import SharedPV

from repstream.link.chronicle import MOST_ASKED, WORDS, Choice, Chronicle, Entry, choice_of
from repstream.parameters import facts
from repstream.parameters.catalogue import Catalogue
from repstream.protocol import Change
from repstream_epics.pva.scalars import annotation
from repstream_epics.states import NO_ALARM

NAME = "Log"
COLUMNS = {"time": "ad", "level": "as", "subject": "as", "acquisition": "as", "text": "as"}
TYPE = NTTable.buildType(list(COLUMNS.items()))
ALL = Choice(last=MOST_ASKED)


class LogPV:
    """The newest 1,000 lines, oldest first; a handler of p4p's. `take` is called with the `lock` held.

    A call (RPC) answers with the lines that its arguments choose, which are those of `Chronicle.chosen`.
    """

    def __init__(self, catalogue: Catalogue, lock: threading.Lock, queue: Any) -> None:
        self._chronicle = Chronicle(lambda: catalogue)
        self._lock = lock
        self.pv = SharedPV(handler=self, queue=queue)

    def begin(self, values: Mapping[str, facts.Value]) -> None:
        """What the engine says now; no line is made of that."""
        self._chronicle.begin(values)

    def take(self, change: Change) -> None:
        """Publish the lines that come of a change."""
        if self._chronicle.take(change) and self.pv.isOpen():
            self.pv.post(_table(self._chronicle.entries(ALL), change.time))

    def onFirstConnect(self, pv: SharedPV) -> None:
        with self._lock:
            if not pv.isOpen():
                pv.open(_table(self._chronicle.entries(ALL), clock.time()))

    def put(self, pv: SharedPV, op: ServerOperation) -> None:
        op.done(error=f"{NAME} is read-only; call it with {', '.join(WORDS)} for some of its lines")

    def rpc(self, pv: SharedPV, op: ServerOperation) -> None:
        """A client calls; it hears which arguments there are where it has others."""
        try:
            query = op.value().todict().get("query", {})
            text = query.pop("text", "")
            words = " ".join(f"{name}={value}" for name, value in query.items())
            op.done(_table(self._chronicle.entries(choice_of(f"{words} text={text}")), clock.time()))
        except Exception as error:  # whatever it was, the client gets its answer
            op.done(error=str(error))


def _table(entries: Iterable[Entry], time: float) -> Value:
    rows = [(entry.time, entry.level, entry.subject, entry.acquisition_id, entry.text) for entry in entries]
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    value = {name: list(column) for name, column in zip(COLUMNS, columns, strict=True)}
    return Value(TYPE, {"labels": list(COLUMNS), "value": value, **annotation(NO_ALARM, time)})
