"""An engine that is nothing but its values: fills `protocol.Engine` for what an IOC shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from repstream.errors import Refused
from repstream.link.publisher import Publisher
from repstream.parameters.catalogue import Catalogue, build
from repstream.parameters.facts import Value
from repstream.protocol import Event, Handle, Reading, Requester, Snapshot, Subscription
from repstream.service.board import Board


class BoardEngine:
    """Shows what `put` gives it, and refuses everything."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or build()
        self._board = Board(self.catalogue, "board", time.time())
        self._publisher = Publisher("board")
        self._lock = Lock()
        self.put({"engine.state": "RUNNING"})

    @contextmanager
    def running(self) -> Iterator[BoardEngine]:
        self._publisher.start()
        yield self
        self._publisher.close()

    def put(self, values: Mapping[str, Value], at: float | None = None) -> None:
        """New values, at a Unix time."""
        with self._lock:
            self._publisher.publish(self._board.put(values, time.time() if at is None else at))

    def snapshot(self) -> Snapshot:
        with self._lock:
            return self._board.snapshot()

    def read(self, key: str) -> Reading:
        with self._lock:
            return Reading(self._board.values[key], self._board.time_of(key))

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        raise Refused(min(values), "this engine only shows")

    def execute(self, command: str, argument: Value, requester: Requester) -> Handle:
        raise Refused(command, "this engine only shows")

    def subscribe(self, callback: Callable[[Event], None]) -> Subscription:
        return self._publisher.subscribe(callback)
