"""`Link`: one engine by its address, shared by the devices that show it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from repstream.errors import EndedEarly
from repstream.link.attach import DEFAULT_ADDRESS
from repstream.link.handles import PendingHandle
from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change, Completion, Event, Reading

Watcher = Callable[[Reading], None]


class Link:
    """The engine at `address`; `close` after use. Devices of one engine share one.

    Raises `EngineUnreachable` where none answers within `timeout` seconds: its catalogue is what the
    devices are made from.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, key: str = "", timeout: float = 5.0) -> None:
        self.address = address
        self._engine = RemoteEngine(address, key, "ophyd")
        self._watchers: dict[str, Watcher] = {}
        try:
            self._engine.wait_connected(timeout)
        except BaseException:
            self._engine.close()
            raise
        self._subscription = self._engine.subscribe(self._note)

    def close(self) -> None:
        """Leave the engine; its devices have no values from then on."""
        self._subscription.close()
        self._engine.close()

    @property
    def catalogue(self) -> Catalogue:
        return self._engine.catalogue

    def read(self, key: str) -> Reading:
        """One value, from memory; raises `UnknownKey`."""
        return self._engine.read(key)

    async def connect(self, timeout: float) -> None:
        """Wait until the engine has answered; raises `EngineUnreachable`."""
        if not self._engine.connected:
            await asyncio.to_thread(self._engine.wait_connected, timeout)

    async def write(self, values: Mapping[str, object]) -> None:
        """Change parameters, all or none; they are in force then. Raises `Refused` or `EngineUnreachable`."""
        await asyncio.to_thread(self._engine.write, values)

    async def give(self, command: str, argument: Value = None) -> PendingHandle:
        """Give a command; raises `Refused` or `EngineUnreachable`."""
        return await asyncio.to_thread(self._engine.execute, command, argument)

    async def execute(self, command: str, argument: Value = None) -> Completion:
        """Give a command and wait for its end; raises `Refused`, `EngineUnreachable`, `EndedEarly`."""
        return checked(await (await self.give(command, argument)))

    def watch(self, key: str, watcher: Watcher | None) -> None:
        """Call `watcher` in the present event loop with every value of `key`; None ends that."""
        known = self._engine.known_key(key)
        if watcher is None:
            self._watchers.pop(known, None)
            return
        loop = asyncio.get_running_loop()

        def hand_over(reading: Reading) -> None:
            with suppress(RuntimeError):  # the loop may have been closed meanwhile
                loop.call_soon_threadsafe(watcher, reading)

        self._watchers[known] = hand_over

    def _note(self, event: Event) -> None:
        """Called from the thread of the events."""
        if isinstance(event, Change):
            for key, value in event.values.items():
                if (watcher := self._watchers.get(key)) is not None:
                    watcher(Reading(value, event.time))


def checked(completion: Completion) -> Completion:
    """A completion that is a success; raises `EndedEarly` for any other."""
    if not completion.ok:
        raise EndedEarly(completion.command, completion.message)
    return completion
