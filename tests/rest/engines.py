"""What tests of the HTTP server share: an engine in front of another one, to change a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Engine, Event, Handle, Reading, Requester, Snapshot, Subscription
from repstream_http import HttpServer


def changes_url(server: HttpServer) -> str:
    """Where the WebSocket of a server is."""
    return f"{server.url.replace('http', 'ws', 1)}/api/v1/changes"


class Passing:
    """Fills `protocol.Engine` by asking another engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def catalogue(self) -> Catalogue:
        return self._engine.catalogue

    def snapshot(self) -> Snapshot:
        return self._engine.snapshot()

    def read(self, key: str) -> Reading:
        return self._engine.read(key)

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        self._engine.write(values, requester)

    def execute(self, command: str, argument: Value, requester: Requester) -> Handle:
        return self._engine.execute(command, argument, requester)

    def subscribe(self, callback: Callable[[Event], None]) -> Subscription:
        return self._engine.subscribe(callback)
