"""The driver: what its clients ask for goes to writer 1, and all of them see every status."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from fastapi.concurrency import run_in_threadpool

from repstream.errors import Refused, RepstreamError
from repstream.parameters.catalogue import Group, Parameter, key_of
from repstream.parameters.facts import Value
from repstream.protocol import Change, Engine, Event, Requester, Subscription
from repstream.states import is_ready, is_writing
from repstream_http.compat.std_daq_driver.command import Start
from repstream_http.compat.std_daq_driver.course import LOST, Course, Stage, Status

SLOT = 1
"""The standard DAQ knows one writer: the first."""

MOST_WAITING = 1000
"""Statuses that may wait for a client before it is dropped."""

NO_WRITER = "the engine has no writer 1; configure one"

FIRST_ID = "first_image_id"

ITSELF = Requester("http", "std_daq_driver")

BUSY: Status = {"status": "rejected", "reason": "driver is busy!"}


class Watcher:
    """A client's statuses, in order and none left out, until it has fallen behind too far."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Status] = asyncio.Queue(MOST_WAITING)
        self.is_behind = False

    def put(self, status: Status) -> None:
        try:
            self._waiting.put_nowait(status)
        except asyncio.QueueFull:
            self.is_behind = True

    async def get(self, seconds: float) -> Status | None:
        """The next status; None where there is none within so many seconds."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._waiting.get(), seconds)
        # One that came as the time was over goes before the one that is shown now.
        return None if self._waiting.empty() else self._waiting.get_nowait()


class Driver:
    """One engine as a driver. Used from one event loop, between `open` and `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watchers: set[Watcher] = set()
        self._turn = asyncio.Lock()
        self._subscription: Subscription | None = None
        self._first_id_before: Value = None
        self._putting_back: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Follow the engine from now on."""
        loop = asyncio.get_running_loop()

        def from_engine(event: Event) -> None:
            if isinstance(event, Change) and not loop.is_closed():
                loop.call_soon_threadsafe(self._follow, event)

        self._subscription = await run_in_threadpool(self._engine.subscribe, from_engine)
        self._look()

    async def close(self) -> None:
        if self._subscription is not None:
            await run_in_threadpool(self._subscription.close)

    @property
    def status(self) -> Status:
        """The status now."""
        return self._course.status

    def join(self) -> Watcher:
        """A watcher that gets the status now, and every one from now on."""
        watcher = Watcher()
        watcher.put(self.status)
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    async def start(self, request: Start, asker: Requester) -> Status | None:
        """Begin a file; the answer for the one who asks where none is begun for reasons of the driver's.

        What the engine refuses is a status that all see.
        """
        async with self._turn:
            state = self._engine.read(self._key("state")).value
            if is_writing(state):
                return BUSY
            if not is_ready(state):
                return {"status": Stage.ERROR.value, "reason": LOST if state else NO_WRITER}
            await self._put_back()
            first_id = self._engine.read(self._key(FIRST_ID)).value
            try:
                await run_in_threadpool(self._start, request, asker)
                self._first_id_before = first_id
            except RepstreamError as error:
                self._show(_error(error))
                self._show(self.status)
        self._follow_end()
        return None

    async def stop(self, asker: Requester) -> None:
        """End what is recorded; harmless where nothing is."""
        for status in self._course.stop():
            self._show(status)
        try:
            await run_in_threadpool(self._engine.execute, self._key("stop"), None, asker)
        except RepstreamError as error:
            self._show(_error(error))

    def _start(self, request: Start, asker: Requester) -> None:
        values = self._engine.snapshot().values
        named, parts = values[self._key("part_names")], int(values[self._key("number_of_parts")] or 1)
        wanted = request.fields(in_parts=parts > 1 or named == "std_daq")
        if parts > 1:
            wanted["part_names"] = "std_daq"
        before = {name: values[self._key(name)] for name in (*wanted, "folder", "file_name", "file_template")}
        del before["output_file"]
        self._write(wanted, asker)
        try:
            self._engine.execute(self._key("start"), None, asker)
        except Refused:
            self._write(before, asker)
            raise

    def _follow_end(self) -> None:
        """Which images a start wants is its own: the next one, by whomever, has the setting of before."""
        if self._first_id_before is not None and is_ready(self._fields["state"]):
            self._putting_back = asyncio.create_task(self._put_back_in_turn())

    async def _put_back_in_turn(self) -> None:
        async with self._turn:
            await self._put_back()

    async def _put_back(self) -> None:
        if self._first_id_before is None or not is_ready(self._engine.read(self._key("state")).value):
            return
        before, self._first_id_before = self._first_id_before, None
        with suppress(RepstreamError):  # another start was faster, or the engine is gone
            await run_in_threadpool(self._write, {FIRST_ID: before}, ITSELF)

    def _write(self, fields: dict[str, Value], asker: Requester) -> None:
        self._engine.write({self._key(name): value for name, value in fields.items()}, asker)

    def _key(self, field: str) -> str:
        return key_of(Group.WRITER, SLOT, field)

    def _look(self) -> None:
        """Begin with what the engine shows now."""
        snapshot = self._engine.snapshot()
        self._epoch, self._sequence = snapshot.epoch, snapshot.sequence
        self._fields = {p.field: snapshot.values[p.key] for p in self._parameters}
        self._course = Course(self._fields)

    def _follow(self, event: Change) -> None:
        if event.epoch != self._epoch:
            self._look()
            self._show(self.status)
        elif event.sequence > self._sequence:
            news = {p.field: event.values[p.key] for p in self._parameters if p.key in event.values}
            self._fields = {**self._fields, **news}
            for status in self._course.take(self._fields) if news else ():
                self._show(status)
        self._follow_end()

    @property
    def _parameters(self) -> Iterator[Parameter]:
        return self._engine.catalogue.of(Group.WRITER, SLOT)

    def _show(self, status: Status) -> None:
        for watcher in self._watchers:
            watcher.put(status)


def _error(error: RepstreamError) -> Status:
    return {"status": Stage.ERROR.value, "reason": error.reason if isinstance(error, Refused) else str(error)}
