"""From the engine's events to PVs, in order, each event's values with its time."""

from __future__ import annotations

import asyncio
import logging

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role, Value
from repstream.protocol import Change, Engine, Event, Subscription
from repstream.states import AcquisitionResult
from repstream_epics.projection import ReportPVs, View
from repstream_epics.refusal import WriteStatus
from repstream_epics.reports import show_report

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that an answer waits for the values that belong to it; a completion is never lost over them."""


class Publisher:
    """Publishes one engine's events on its view; lives in the loop of the server."""

    def __init__(self, engine: Engine, view: View) -> None:
        self._engine = engine
        self._view = view
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._published = asyncio.Condition()
        self._epoch, self._sequence = self._joined = "", 0
        self._losing_key = view.catalogue.key(Role.LOSING, Group.ENGINE)
        self._state_key = view.catalogue.key(Role.STATE, Group.ENGINE)
        self._losing: Value = False
        self._state: Value = None
        self._other_catalogue = False
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe, publish every value, then go on with every event until closed."""
        self._subscription = await asyncio.to_thread(self._engine.subscribe, self._hand_over)
        now = await asyncio.to_thread(self._engine.snapshot)
        self._epoch, self._sequence = self._joined = now.epoch, now.sequence
        self._losing = now.values.get(self._losing_key)
        for key, value in now.values.items():
            await self._show(key, value, now.times.get(key, now.time))
        await self._acquisitions(now.values, now.time)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            event = await self._events.get()
            if isinstance(event, Change) and not self._is_old(event):
                await self._publish(event)
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

    async def _publish(self, change: Change) -> None:
        self._losing = change.values.get(self._losing_key, self._losing)
        for key, value in change.values.items():
            try:
                await self._show(key, value, change.time)
            except Exception:  # one value that cannot be shown must not silence the others
                log.exception("%s = %r cannot be published", key, value)
        if self._losing_key in change.values and self._state_key not in change.values:
            await self._show(self._state_key, self._state, change.time)
        await self._acquisitions(change.values, change.time)

    async def _show(self, key: str, value: Value, time: float) -> None:
        if key == self._state_key:
            self._state = value
        pvs = self._view.parameters.get(key)
        if pvs is not None:
            await pvs.show(value, time, bool(self._losing))
        elif not self._other_catalogue:
            self._other_catalogue = True
            log.error("the engine has parameters that this IOC does not know, as %s: restart the IOC", key)

    async def _acquisitions(self, values: dict[str, Value], time: float) -> None:
        """A writer's report follows its acquisition too: it may have been started by somebody else."""
        for (group, slot), report in self._view.reports.items():
            if group != Group.WRITER:
                continue
            state = values.get(self._view.catalogue.key(Role.ACQUISITION, group, slot))
            if state is not None:
                # The engine says how it ended, and then that it has ended.
                result, message = (
                    self._view.parameters[self._view.catalogue.key(role, group, slot)].readback.value
                    for role in (Role.RESULT, Role.OUTCOME)
                )
                await _show_acquisition(report, result, message, time)


async def _show_acquisition(report: ReportPVs, result: Value, message: str, time: float) -> None:
    if result == AcquisitionResult.FAILED.value:
        await show_report(report, WriteStatus.ERROR, message, time)
    else:
        await show_report(report, WriteStatus.OK, "", time)
