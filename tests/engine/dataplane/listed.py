"""A source that has its messages from a list, and a transport that keeps what it is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any


class ListedSource:
    """Fills `Source`."""

    pollable = -1
    connected = True
    problem = ""
    capacity = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.messages: deque[Sequence[Any]] = deque()

    def receive(self, patient: bool = False) -> Sequence[Any] | None:
        return self.messages.popleft() if self.messages else None

    def update(self) -> None:
        pass

    def close(self) -> None:
        self.messages.clear()


class KeepingTransport:
    """Fills `Transport`; takes everything."""

    room = None
    consumers = 0
    disconnects = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.sent: list[list[bytes]] = []

    def send(self, parts: Sequence[Any]) -> bool:
        self.sent.append([bytes(part) for part in parts])
        return True

    def update(self) -> None:
        pass

    def close(self, linger: float) -> None:
        pass


open_source = ListedSource
open_transport = KeepingTransport
