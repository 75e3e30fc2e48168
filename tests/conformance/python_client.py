"""Our own client as the conformance suite sees it, through the engine's address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Queue

from repstream import Client, Refused
from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event
from tests.conformance.client import FrontEndClient, Rejected, facts_of


class PythonClient:
    """Fills `FrontEndClient` with `repstream.Client`."""

    name = "python"
    cannot: frozenset[str] = frozenset()

    def __init__(self, client: Client) -> None:
        self._client = client

    def keys(self) -> Iterator[str]:
        return iter(self._client.catalogue.parameters)

    def read(self, key: str) -> Value:
        return self._client.read(key)

    def write(self, key: str, value: Value) -> None:
        try:
            self._client.write(key, value)
        except Refused as error:
            raise Rejected(str(error)) from error

    def execute(self, command: str, argument: Value = None) -> None:
        try:
            completion = self._client.execute(command, argument).wait(20)
        except Refused as error:
            raise Rejected(str(error)) from error
        if not completion.ok:
            raise Rejected(completion.message)

    def facts(self, key: str) -> Mapping[str, object]:
        return facts_of(self._client.catalogue.parameters[key], self._client.read(key))

    @contextmanager
    def watch(self, key: str) -> Iterator[Queue[Value]]:
        values: Queue[Value] = Queue()

        def note(event: Event) -> None:
            if isinstance(event, Change) and key in event.values:
                values.put(event.values[key])

        with self._client.subscribed(note):
            yield values


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[FrontEndClient]:
    """A client of the engine at `address`."""
    with Client(address) as client:
        yield PythonClient(client)
