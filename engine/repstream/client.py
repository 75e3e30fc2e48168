"""`Client`: an engine for scripts and interactive sessions, synchronous, with tab completion.

::

    with repstream.Client("tcp://127.0.0.1:9600") as engine:
        writer = engine.writers.main
        writer.output_file = "/data/scan1.h5"
        writer.num_images = 100
        writer.start().wait(60)
        print(writer.acq_message, writer.num_written)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Queue
from types import TracebackType
from typing import Any, Self

from repstream.errors import UnknownKey
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, key_of
from repstream.parameters.facts import Value
from repstream.protocol import Change, Event, Handle


class Client:
    """An engine at an address.

    Keys are those of the catalogue; a stream or writer goes by its name or its slot:
    ``streams.live.every_nth``. Writes and commands that are refused raise `repstream.Refused`
    with the reason, and change nothing. Raises `repstream.EngineUnreachable` when no engine
    answers within `timeout` seconds.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, key: str = "", timeout: float = 5.0) -> None:
        self._engine = RemoteEngine(address, key)
        try:
            self._engine.wait_connected(timeout)
        except BaseException:
            self._engine.close()
            raise

    @property
    def catalogue(self) -> Catalogue:
        """Every parameter and command with its facts."""
        return self._engine.catalogue

    def read(self, key: str) -> Value:
        """The value of a parameter now; None where it has none."""
        return self._engine.read(key).value

    def write(self, key: str | Mapping[str, Value], value: Value = None) -> None:
        """Change one parameter, or several at once: all of them or none."""
        self._engine.write({key: value} if isinstance(key, str) else key)

    def execute(self, command: str, argument: Value = None) -> Handle:
        """Give a command; its handle has `wait(timeout)` and `completion`."""
        return self._engine.execute(command, argument)

    def wait(self, key: str, wanted: Value | Callable[[Value], bool], timeout: float | None = None) -> Value:
        """Wait until a parameter has a value, or one that a function takes; raises `TimeoutError`."""
        test = wanted if callable(wanted) else lambda value: value == wanted
        found = threading.Event()
        with self.subscribed(lambda event: found.set()):
            while True:
                found.clear()
                value = self.read(key)
                if test(value):
                    return value
                if not found.wait(timeout):
                    raise TimeoutError(f"{key} is still {value!r} after {timeout} s")

    @contextmanager
    def watch(self, *keys: str) -> Iterator[Queue[dict[str, Value]]]:
        """A queue of changes of these parameters (of all where none is named), by key with slot."""
        changes: Queue[dict[str, Value]] = Queue()
        wanted = {self._engine.key_with_slot(key) for key in keys}

        def note(event: Event) -> None:
            if isinstance(event, Change):
                values = {k: v for k, v in event.values.items() if not wanted or k in wanted}
                if values:
                    changes.put(values)

        with self.subscribed(note):
            yield changes

    @contextmanager
    def subscribed(self, callback: Callable[[Event], None]) -> Iterator[None]:
        """Within the block, call back with every event, in order, from one thread."""
        subscription = self._engine.subscribe(callback)
        try:
            yield
        finally:
            subscription.close()

    @property
    def engine(self) -> Section:
        """The repeater as a whole: its state and commands."""
        return Section(self, Group.ENGINE, 0)

    @property
    def source(self) -> Section:
        """The input."""
        return Section(self, Group.SOURCE, 0)

    @property
    def streams(self) -> Slots:
        """The live streams, by name."""
        return Slots(self, Group.STREAM)

    @property
    def writers(self) -> Slots:
        """The writers, by name."""
        return Slots(self, Group.WRITER)

    def close(self) -> None:
        """Leave the engine."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Slots:
    """The streams or writers of an engine: ``client.streams.live`` or ``client.streams["live"]``."""

    def __init__(self, client: Client, group: Group) -> None:
        self._client = client
        self._group = group

    def _names(self) -> dict[str, int]:
        slots = self._client.catalogue.slots(self._group)
        names = {slot: self._client.read(key_of(self._group, slot, "name")) for slot in slots}
        return {str(name): slot for slot, name in names.items() if name is not None}

    def __getitem__(self, name: str) -> Section:
        names = self._names()
        if name not in names:
            raise UnknownKey(f"{self._group.value}.{name}", f"there are only {', '.join(names) or 'none'}")
        return Section(self._client, self._group, names[name])

    def __getattr__(self, name: str) -> Section:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownKey as error:
            raise AttributeError(str(error)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __dir__(self) -> list[str]:
        return list(self._names())


class Section:
    """Parameters as attributes that can be read and set, commands as methods."""

    _client: Client
    _parameters: dict[str, Parameter]
    _commands: dict[str, Command]

    def __init__(self, client: Client, group: Group, slot: int) -> None:
        catalogue = client.catalogue
        vars(self)["_client"] = client
        vars(self)["_parameters"] = {p.field: p for p in catalogue.of(group, slot)}
        vars(self)["_commands"] = {c.name: c for c in catalogue.commands_of(group, slot)}

    def __getattr__(self, name: str) -> Any:
        if (parameter := self._parameters.get(name)) is not None:
            return self._client.read(parameter.key)
        if (command := self._commands.get(name)) is not None:
            return Action(self._client, command)
        raise AttributeError(f"there is no parameter or command {name}; there are {', '.join(dir(self))}")

    def __setattr__(self, name: str, value: Value) -> None:
        if (parameter := self._parameters.get(name)) is None:
            raise AttributeError(f"there is no parameter {name}; there are {', '.join(self._parameters)}")
        self._client.write(parameter.key, value)

    def __dir__(self) -> list[str]:
        return sorted((*self._parameters, *self._commands))


class Action:
    """A command as a function; ``help`` shows what it does."""

    def __init__(self, client: Client, command: Command) -> None:
        self._client = client
        self._command = command
        self.__doc__ = command.text

    def __call__(self, argument: Value = None) -> Handle:
        """Give the command; its handle has `wait(timeout)` and `completion`."""
        return self._client.execute(self._command.key, argument)
