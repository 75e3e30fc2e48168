"""The input of a data plane that merges a stream: what receivers bring, in the order of its ids."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from repstream.accounting import Reordering
from repstream.dataplane.control import Merge, MergeReport
from repstream.dataplane.lanes import envelope_in
from repstream.messages.header import size_of
from repstream.sources.source import Source

_MIB = 1 << 20


class MergedSource:
    """Stands before the socket that the lanes of all receivers end in; fills `PacedSource`.

    A message is handed out without its envelope when it is due (`Reordering`). `late`: frames that came too
    late for that, and are lost.
    """

    def __init__(self, source: Source, merge: Merge, id_step: int) -> None:
        self._source = source
        self._order: Reordering[Sequence[Any]] = Reordering(
            merge.lanes,
            id_step,
            patience=merge.patience,
            most=merge.most,
            most_bytes=merge.most_memory * _MIB,
        )
        self._reached: dict[int, int] = {}
        self._ready = os.eventfd(1)  # can always be read

    @property
    def pollable(self) -> Any:
        """The socket, or what can be read at once while something is due."""
        return self._ready if not self.due else self._source.pollable

    @property
    def due(self) -> float:
        return self._order.due(time.monotonic())

    @property
    def connected(self) -> bool:
        return self._source.connected

    @property
    def problem(self) -> str:
        return self._source.problem

    @property
    def capacity(self) -> int:
        return self._source.capacity + len(self._order)

    @property
    def late(self) -> int:
        return self._order.late

    def receive(self, patient: bool = False) -> Sequence[Any] | None:
        order = self._order
        while True:
            now = time.monotonic()
            if (parts := order.take(now)) is not None:
                return parts
            message = self._source.receive(patient)
            if message is None:
                return order.take(time.monotonic())
            lane, number, kind, frame_id = envelope_in(message[0])
            self._reached[lane] = number
            order.add(lane, kind, frame_id, message[1:], nbytes=sum(map(size_of, message)), now=now)

    def finish(self) -> None:
        """No more messages are to come: hand out what waits."""
        self._order.finish()

    def report(self) -> MergeReport:
        return MergeReport(dict(self._reached), len(self._order))

    def update(self) -> None:
        self._source.update()

    def close(self) -> None:
        self._source.close()
        os.close(self._ready)
