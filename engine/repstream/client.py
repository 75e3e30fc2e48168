"""`Client`: an engine for scripts and interactive sessions, synchronous, with tab completion.

::

    with repstream.Client("tcp://127.0.0.1:9600") as engine:
        writer = engine.writers.main
        writer.output_file = "/data/scan1.h5"
        writer.num_images = 100
        writer.start().wait(60)
        print(writer.acq_message, writer.num_written)

In a coroutine a command is awaited, ``await writer.start()``, and changes come one by one from
``async with engine.changes("source.rate") as changes``. Reading is a look into memory; a write
takes as long as the engine needs to answer it.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from queue import Queue
from typing import Any, NoReturn

from repstream.errors import UnknownKey, did_you_mean
from repstream.lifetime import Closing
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.handles import waited
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, key_of
from repstream.parameters.facts import Value
from repstream.protocol import Change, Event, Handle
from repstream.sockets.security import security


class Client(Closing):
    """An engine at an address.

    Keys are those of the catalogue; a stream or writer goes by its name or its slot:
    ``streams.live.every_nth``. Values may be NumPy scalars, paths and enumerations, and mappings
    or lists where a parameter holds JSON. Writes and commands that are refused raise
    `repstream.Refused` with the reason, and change nothing. Raises `repstream.EngineUnreachable`
    when no engine answers within `timeout` seconds, or later when it is gone.

    A client that is no longer used closes itself. It belongs to the process that made it, and
    cannot be copied.

    An engine whose address is encrypted (CURVE) is reached with `curve_server`, the name of its public key,
    and `curve_key`, that of one's own pair (`repstream keys`), or with the environment variables
    `REPSTREAM_CURVE_SERVER` and `REPSTREAM_CURVE_KEY`.
    """

    __slots__ = ("__weakref__", "_close", "_engine")

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        key: str = "",
        timeout: float = 5.0,
        *,
        curve_key: str = "",
        curve_server: str = "",
    ) -> None:
        encrypted = security(curve_key, curve_server, "client", binds=False) if curve_server else None
        self._engine = RemoteEngine(address, key, security=encrypted)
        self._close = weakref.finalize(self, self._engine.close)
        try:
            self._engine.wait_connected(timeout)
        except BaseException:
            self._close()
            raise

    @property
    def catalogue(self) -> Catalogue:
        """Every parameter and command with its facts."""
        return self._engine.catalogue

    def read(self, key: str) -> Value:
        """The value of a parameter now; None where it has none."""
        return self._engine.read(key).value

    def write(self, key: str | Mapping[str, object], value: object = None) -> None:
        """Change one parameter, or several at once: all of them or none."""
        self._engine.write({key: value} if isinstance(key, str) else key)

    def execute(self, command: str, argument: object = None) -> Handle:
        """Give a command; its handle has `wait(timeout)` and `completion`, and can be awaited."""
        return self._engine.execute(command, argument)

    def wait(self, key: str, wanted: Value | Callable[[Value], bool], timeout: float | None = None) -> Value:
        """Wait until a parameter has a value, or one for which a function is true.

        Raises `TimeoutError` when it has not within `timeout` seconds, and `EngineUnreachable`
        when the engine goes away meanwhile.
        """
        test = wanted if callable(wanted) else lambda value: value == wanted
        end = None if timeout is None else time.monotonic() + timeout
        changed = threading.Event()
        with self.subscribed(lambda event: changed.set()):
            while True:
                changed.clear()
                self._engine.check_connected()
                value = self.read(key)
                if test(value):
                    return value
                left = None if end is None else max(0.0, end - time.monotonic())
                if left == 0.0 or not waited(changed, left):
                    raise TimeoutError(f"{key} is still {value!r} after {timeout} s")

    @contextmanager
    def watch(self, *keys: str) -> Iterator[Queue[dict[str, Value]]]:
        """A queue of changes of these parameters (of all where none is named), by key with slot.

        Raises `UnknownKey` for a key that does not exist.
        """
        changes: Queue[dict[str, Value]] = Queue()
        with self._watched(keys, changes.put):
            yield changes

    @asynccontextmanager
    async def changes(self, *keys: str) -> AsyncIterator[asyncio.Queue[dict[str, Value]]]:
        """As `watch`, for coroutines: a queue whose `get` is awaited."""
        changes: asyncio.Queue[dict[str, Value]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(values: dict[str, Value]) -> None:
            with suppress(RuntimeError):  # the loop may have been closed meanwhile
                loop.call_soon_threadsafe(changes.put_nowait, values)

        with self._watched(keys, put):
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
        return Section(self, Group.ENGINE)

    @property
    def source(self) -> Section:
        """The input."""
        return Section(self, Group.SOURCE)

    @property
    def streams(self) -> Slots:
        """The live streams, by name."""
        return Slots(self, Group.STREAM)

    @property
    def writers(self) -> Slots:
        """The writers, by name."""
        return Slots(self, Group.WRITER)

    def close(self) -> None:
        """Leave the engine; a second close changes nothing."""
        self._close()

    def __repr__(self) -> str:
        return f"<repstream.Client of {self._engine.address}: {self.read('engine.status')}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a client cannot be copied; make another one of {self._engine.address}")

    @contextmanager
    def _watched(self, keys: Iterable[str], put: Callable[[dict[str, Value]], object]) -> Iterator[None]:
        wanted = {self._engine.known_key(key) for key in keys}

        def note(event: Event) -> None:
            if isinstance(event, Change):
                values = {k: v for k, v in event.values.items() if not wanted or k in wanted}
                if values:
                    put(values)

        with self.subscribed(note):
            yield


class Slots:
    """The streams or writers of an engine: ``client.streams.live`` or ``client.streams["live"]``."""

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group

    def _names(self) -> list[str]:
        """Raises `EngineUnreachable`: an engine that is gone has names, but nobody knows them."""
        self._client._engine.check_connected()
        slots = self._client.catalogue.slots(self._group)
        names = (self._client.read(key_of(self._group, slot, "name")) for slot in slots)
        return [str(name) for name in names if name is not None]

    def __getitem__(self, name: str) -> Section:
        if name not in (names := self._names()):
            raise UnknownKey(f"{self._group}.{name}", f"there are only {', '.join(names) or 'none'}")
        return Section(self._client, self._group, name)

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
        return self._names()

    def __repr__(self) -> str:
        return f"<{self._group}: {', '.join(self) or 'none'}>"


class Section:
    """Parameters as attributes that can be read and set, commands as methods.

    That of a stream or writer stays with its name: it raises `repstream.UnknownKey` when that has
    been removed, also where another one has taken its slot.
    """

    _client: Client
    _head: str
    _parameters: dict[str, Parameter]
    _commands: dict[str, Command]

    def __init__(self, client: Client, group: str, name: str = "") -> None:
        catalogue = client.catalogue
        slot = 1 if name else 0  # the slots of a group are alike
        vars(self)["_client"] = client
        vars(self)["_head"] = f"{group}.{name}" if name else group
        vars(self)["_parameters"] = {p.field: p for p in catalogue.of(group, slot)}
        vars(self)["_commands"] = {c.name: c for c in catalogue.commands_of(group, slot)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copying asks for some before there is anything
            raise AttributeError(name)
        if name in self._parameters:
            return self._client.read(f"{self._head}.{name}")
        if (command := self._commands.get(name)) is not None:
            return Action(self._client, f"{self._head}.{name}", command.text)
        raise AttributeError(
            f"{self._head} has no parameter or command {name}{did_you_mean(name, dir(self))}"
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._parameters:
            raise AttributeError(
                f"{self._head} has no parameter {name}{did_you_mean(name, self._parameters)}"
            )
        self._client.write(f"{self._head}.{name}", value)

    def __dir__(self) -> list[str]:
        return sorted((*self._parameters, *self._commands))

    def __repr__(self) -> str:
        return f"<{self._head} of {self._client!r}>"


class Action:
    """A command as a function; ``help`` shows what it does."""

    def __init__(self, client: Client, key: str, text: str) -> None:
        self._give = partial(client.execute, key)
        self.__doc__ = text

    def __call__(self, argument: object = None) -> Handle:
        """Give the command; its handle has `wait(timeout)` and `completion`, and can be awaited."""
        return self._give(argument)
