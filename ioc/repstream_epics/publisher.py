"""From the engine's events to PVs, in order, each event's values with its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from repstream.parameters.catalogue import Catalogue
from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event, Subscription
from repstream_epics.view import Binding

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_PATIENCE = 1.0
"""Seconds that an answer waits for the values that belong to it; a completion is never lost over them."""


SLICE = 0.005
"""Seconds for which an event is published without a turn for clients, however many values it has."""


class Publisher:
    """Publishes one engine's events on all bindings to it; lives in the loop of the server.

    `catalogue` is the one that the bindings were made from.
    """

    def __init__(self, engine: Engine, catalogue: Catalogue, bindings: Sequence[Binding]) -> None:
        self._engine = engine
        self._bindings: dict[str, list[Binding]] = {}
        for binding in bindings:
            for key in binding.keys:
                self._bindings.setdefault(key, []).append(binding)
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._published = asyncio.Condition()
        self._epoch, self._sequence = self._joined = "", 0
        self._held: dict[str, Value] = dict.fromkeys(catalogue.parameters)
        self._known = frozenset(catalogue.parameters)
        self._other_catalogue = False
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe, publish every value, then go on with every event until closed."""
        self._subscription = await asyncio.to_thread(self._engine.subscribe, self._hand_over)
        now = await asyncio.to_thread(self._engine.snapshot)
        self._epoch, self._sequence = self._joined = now.epoch, now.sequence
        self._note(now.values)
        for binding in self._following(self._known):
            await binding.show(self._held, now.times.get(binding.keys[0], now.time))
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            event = await self._events.get()
            if isinstance(event, Change) and not self._is_old(event):
                await self._publish(event.values, event.time)
                await asyncio.sleep(0)  # a turn for those who send it, also when events wait
            async with self._published:
                self._epoch, self._sequence = event.epoch, event.sequence
                self._published.notify_all()

    async def reached(self, epoch: str, sequence: int) -> None:
        """Wait until everything up to an event of the engine has been published."""
        try:
            async with asyncio.timeout(_PATIENCE), self._published:
                await self._published.wait_for(lambda: self._epoch != epoch or self._sequence >= sequence)
        except TimeoutError:
            log.warning("the values of event %d have not come within %g s", sequence, _PATIENCE)

    async def until(self, found: Callable[[Mapping[str, Value]], _T | None]) -> _T:
        """What `found` makes of the values held, once that is something."""
        async with self._published:
            while (answer := found(self._held)) is None:
                await self._published.wait()
            return answer

    async def ask_again(self) -> None:
        """Have those in `until` look again, for what does not come from the engine."""
        async with self._published:
            self._published.notify_all()

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        if self._task is not None:
            self._task.cancel()

    def _hand_over(self, event: Event) -> None:
        """Called from the engine's thread."""
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the loop has ended while this event was on its way
            log.debug("an event came after the end")

    def _is_old(self, event: Change) -> bool:
        """Whether a change came before the first snapshot; losing the engine has the last number again."""
        epoch, sequence = self._joined
        return event.epoch == epoch and event.sequence < sequence

    async def _publish(self, values: Mapping[str, Value], time: float) -> None:
        self._note(values)
        end = self._loop.time() + SLICE
        for binding in self._following(values):
            try:
                await binding.show(self._held, time)
            except Exception:  # one value that cannot be shown must not silence the others
                log.exception("%s cannot be published", {key: self._held[key] for key in binding.keys})
            if self._loop.time() >= end:
                await asyncio.sleep(0)
                end = self._loop.time() + SLICE

    def _note(self, values: Mapping[str, Value]) -> None:
        self._held |= values
        unknown = values.keys() - self._known
        if unknown and not self._other_catalogue:
            self._other_catalogue = True
            one = min(unknown)
            log.error("the engine has parameters that this IOC does not know, as %s: restart the IOC", one)

    def _following(self, keys: Iterable[str]) -> Iterable[Binding]:
        """The bindings that follow any of `keys`, each once, in the order of the keys."""
        return dict.fromkeys(binding for key in keys for binding in self._bindings.get(key, ()))
