"""`Engine`: all that a front end may ask of an engine, wherever that runs.

It is filled by the service itself (same process) and by the remote engine (by address). It is
synchronous and thread-safe; callbacks come from one thread, one at a time, never under a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

import msgspec

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value


class Requester(msgspec.Struct, frozen=True):
    """Who asks: front end (``tango``, ``epics``, ``http``, ``client``), user and host."""

    front_end: str
    user: str = ""
    host: str = ""

    def __str__(self) -> str:
        return f"{self.front_end} {self.user or 'somebody'}@{self.host or 'somewhere'}"


class Snapshot(msgspec.Struct, frozen=True):
    """Every value at one moment: `sequence` is that of the last change it contains.

    `epoch` names the life of the engine (a restart has another); `times` are Unix seconds of
    the last change of each value.
    """

    epoch: str
    sequence: int
    time: float
    values: dict[str, Value]
    times: dict[str, float]


class Change(msgspec.Struct, frozen=True, tag="change"):
    """Values that changed together. A key that is not in `values` kept its value."""

    epoch: str
    sequence: int
    time: float
    values: dict[str, Value]


class Completion(msgspec.Struct, frozen=True, tag="completion"):
    """The end of a command, exactly once for each that was taken.

    It comes after the `Change` events with the final counters, message, result and state. Where the
    command waited for an acquisition, `result` says how that ended (a word of `StartResult`) and
    `acquisition_id` which it was; both are empty otherwise.
    """

    epoch: str
    sequence: int
    time: float
    handle_id: str
    command: str
    ok: bool
    message: str
    result: str = ""
    acquisition_id: str = ""


Event = Change | Completion


class Reading(msgspec.Struct, frozen=True):
    """One value with the Unix time of its last change."""

    value: Value
    time: float


class Handle(Protocol):
    """A command that was taken; it ends exactly once."""

    @property
    def handle_id(self) -> str: ...

    @property
    def command(self) -> str: ...

    @property
    def completion(self) -> Completion | None:
        """How it ended; `None` while it goes on."""

    def wait(self, timeout: float | None = None) -> Completion:
        """Wait for the end, at most `timeout` seconds; raises `TimeoutError`."""

    def on_done(self, callback: Callable[[Completion], None]) -> None:
        """Call back at the end, from the thread of the events; at once if it has ended."""

    def __await__(self) -> Generator[Any, None, Completion]:
        """Wait for the end in a coroutine."""


class Subscription(Protocol):
    """A subscription to events, until closed."""

    def close(self) -> None: ...


class Engine(Protocol):
    """An engine, here or elsewhere."""

    @property
    def catalogue(self) -> Catalogue: ...

    def snapshot(self) -> Snapshot:
        """Every value now. Where the engine cannot be reached its states are UNKNOWN."""

    def read(self, key: str) -> Reading:
        """One value; raises `Refused` for a key that does not exist."""

    def write(self, values: Mapping[str, Value], requester: Requester) -> None:
        """Change parameters, all or none; raises `Refused` or `EngineUnreachable`.

        The change is in force, and its event on the way to all subscribers, when this returns.
        """

    def execute(self, command: str, argument: Value, requester: Requester) -> Handle:
        """Give a command; raises `Refused` or `EngineUnreachable`.

        The new state is in force when this returns; the handle reports the end.
        """

    def subscribe(self, callback: Callable[[Event], None]) -> Subscription:
        """Call back with every event from now on, in order, from one thread."""
