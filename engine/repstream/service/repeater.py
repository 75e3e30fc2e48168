"""The repeater: its states, start, stop and drain, and what happens when the data plane dies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from repstream import states
from repstream.dataplane import control
from repstream.link.handles import PendingHandle
from repstream.parameters import storage
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.output_status import StreamStatus
from repstream.parameters.status import SourceStatus
from repstream.service import figures
from repstream.service.context import ServiceContext, by_key
from repstream.service.receivers.shares import check_receivers
from repstream.service.situation import Situation
from repstream.service.turn import waited
from repstream.service.waiting import clock
from repstream.states import ALWAYS_ALLOWED, REPEATER, RepeaterState, after, allowed

PATIENCE = 2.0
"""Seconds that a stop waits for consumers that take nothing."""

LOSS_TIME = 5.0
"""Seconds for which an unplanned loss shows as ALARM."""

log = logging.getLogger(__name__)


class Death(msgspec.Struct, frozen=True):
    """The data plane ended unasked, with its exit reason."""

    reason: str


class Repeater:
    """Commands and events of the repeater; used in the owner's thread, commands in their turn."""

    def __init__(self, context: ServiceContext, take: Callable[[control.Notice | Death], None]) -> None:
        self._context = context
        self._take = take
        self._drained = asyncio.Event()
        self._drained.set()
        self._gone = asyncio.Event()
        self._taken_up = asyncio.Event()
        self._stalled = False
        self._killed_for = ""
        self._stops: list[PendingHandle] = []
        self._situation = Situation(context)
        self._rates = figures.Rates()
        self._losses: int | None = 0  # None: not known yet, of a data plane that was taken up
        self._lost_at = -LOSS_TIME

    @property
    def state(self) -> RepeaterState:
        return self._context.state

    @property
    def draining(self) -> bool:
        """Whether what was received before the last stop is still being sent or written."""
        return not self._drained.is_set()

    @asynccontextmanager
    async def turn(self, subject: str) -> AsyncIterator[None]:
        """One's turn when nothing is draining any more; raises `Refused` where that takes too long."""
        while True:
            await waited(self._drained.wait(), subject, self._why_draining)
            async with self._context.turn(subject):
                if not self.draining:
                    yield
                    return

    async def initialize(self, command: str = "initialize") -> None:
        """Check the configuration, then as `follow`."""
        after(REPEATER, self.state, command, f"engine.{command}")
        self.check_addresses(f"engine.{command}")
        await self.follow(command)

    async def follow(self, command: str) -> None:
        """Have a data plane ready, and enter the state that a command leads to; clears the error."""
        following = after(REPEATER, self.state, command, f"engine.{command}")
        if not await self._launch():
            self._enter(following)

    async def start(self, subject: str = "engine.start") -> None:
        """Bind everything and run; raises `Refused` and leaves the state as it was."""
        following = after(REPEATER, self.state, "start", subject, self._context.way_out)
        self.check_addresses(subject)
        await self._launch()
        text = storage.dump(self._context.configuration)
        await self._context.ask(
            subject, lambda number: control.Open(number, text), lambda: self._opened(following)
        )

    async def stop(self, handle: PendingHandle | None, into: RepeaterState | None = None) -> None:
        """Stop receiving; `handle` ends when all is drained, at once where there is nothing to do.

        `into`: the state to go back to, where a start is undone.
        """
        following = after(REPEATER, self.state, "stop", "engine.stop")
        if states.is_open(self.state):
            await self._context.ask(
                "engine.stop",
                lambda number: control.Close(number, PATIENCE, self._patience),
                lambda: self._closing(into or following),
            )
        if handle is None:
            return
        if self.draining:
            self._stops.append(handle)
        else:
            self._context.end([handle], True, "stopped")

    async def give_up(self) -> None:
        """End a data plane that does not answer, or whose last stop waits for a disk that does not."""
        why = "having given no sign of life" if self._stalled else ""
        if self.draining:
            why = why or self._situation.silent_disks()
        if why and self._context.asking.pulse.lives:
            self._kill(f"was ended by reset: {why}")
            await waited(self._gone.wait(), "engine.reset", lambda: "the data plane cannot be ended")

    async def reset(self) -> None:
        """Clear the error; where nothing runs this initialises."""
        if not states.is_open(self.state):
            await self.initialize("reset")
        self._lost_at = -LOSS_TIME
        with self._context.changing_engine() as engine:
            engine.last_error, engine.last_error_time, engine.error_count = "", 0.0, 0
            engine.losing = False
        self.describe()

    def on_sign_of_life(self) -> None:
        """A notice came, whichever."""
        self._context.asking.pulse.heard(time.monotonic())
        if self._stalled:
            self._stalled = False
            log.warning("the data plane goes on")
            self._show()

    def look_at_plane(self) -> None:
        """Now and then: a data plane that gives no sign of life is shown as such, and ended at last."""
        now, pulse = time.monotonic(), self._context.asking.pulse
        pulse.look()
        if not pulse.stalled(now):
            return
        if not self._stalled:
            self._stalled = True
            log.error("the data plane gives no sign of life")
            self._context.put(figures.without_rates(self._context.board.values))
            self._show()
        patience, silence = self._patience, pulse.silence(now)
        if patience and silence >= patience and not self._killed_for:
            self._kill(f"was ended, having given no sign of life for {silence:.0f} s")
        self.describe()

    @property
    def stall(self) -> str:
        """That the data plane gives no sign of life, since when; empty where it does."""
        if not self._stalled:
            return ""
        since = time.time() - self._context.asking.pulse.silence(time.monotonic())
        return f"the data plane has not answered since {clock(since)}"

    def on_report(self, report: control.Report, writers: Mapping[str, Value]) -> None:
        """Publish a report: the counters that are known here, and those of the writers, by key."""
        if self._losses is not None and report.losses > self._losses:
            self._lost_at = time.monotonic()
        self._losses = report.losses
        self._context.heard_frames(report.source.ledger.frames)
        engine = self._context.engine
        engine.losing = self.losing
        values = {**self._counted(report), **writers, **by_key(engine, Group.ENGINE)}
        self._context.put(self._occupied(values))
        if self.draining:
            self._put_draining()
        self.describe()

    @property
    def blocking(self) -> list[str]:
        """The outputs that hold up the source, as last reported: ``stream live``, ``writer main``."""
        return self._situation.blocking

    @property
    def losing(self) -> bool:
        return states.is_open(self.state) and time.monotonic() - self._lost_at < LOSS_TIME

    def on_adopted(self, notice: control.Adopted) -> None:
        """A data plane was taken up in the middle: what it does is the state."""
        self._opened(after(REPEATER, self.state, "start", "engine"))
        self._losses = None
        if notice.draining:
            self._closing(after(REPEATER, self.state, "stop", "engine"))
        self._taken_up.set()

    def on_closed(self, notice: control.Closed) -> None:
        """Everything is drained and closed, and its last report published."""
        self._drained.set()
        with self._context.changing_engine() as engine:
            engine.draining, engine.draining_time = 0, None
        self._context.put(figures.at_rest(self._context.board.values))
        left = (
            f", {notice.undelivered} frames were left unsent: no consumer took them"
            if notice.undelivered
            else ""
        )
        self.describe()
        self._context.end(self._stops, True, f"stopped{left}")

    def death_of(self, reason: str) -> str:
        """Why the data plane died: its exit reason, unless that was our doing."""
        return f"it {self._killed_for}" if self._killed_for else reason

    def on_death(self, reason: str) -> None:
        """The data plane died: ERROR, with the reason."""
        self._stalled, self._killed_for = False, ""
        for event in (self._drained, self._gone, self._taken_up):
            event.set()
        with self._context.changing_engine() as engine:
            engine.process_id, engine.draining, engine.draining_time = 0, 0, None
        source = self._context.status(SourceStatus, Group.SOURCE)
        source.connected = False
        self._context.show(source, Group.SOURCE)
        for slot in self._context.catalogue.slots(Group.STREAM):
            stream = self._context.status(StreamStatus, Group.STREAM, slot)
            if stream.name is not None:
                figures.died(stream, stream)
                stream.clients = 0
                self._context.show(stream, Group.STREAM, slot)
        self._context.put(figures.at_rest(self._context.board.values))
        self._context.note_error(f"the data plane died: {reason}; initialize starts it again")
        self._enter(after(REPEATER, self.state, "failed", "engine"))
        self._context.end(self._stops, False, f"the data plane died: {reason}")

    def check_addresses(self, subject: str) -> None:
        """Raise `Refused` where addresses or receivers do not go together."""
        check_receivers(subject, self._context.configuration)

    def describe(self) -> None:
        """Say in one sentence what goes on."""
        sentence = self._situation.sentence(self.state, self.draining)
        if self._stalled:
            ends = f"; it is ended after {self._patience:.0f} s" if self._patience else ""
            sentence = f"Not known: {self.stall}{ends}, or at once by reset."
        with self._context.changing_engine() as engine:
            engine.status = sentence

    async def _launch(self) -> bool:
        """Start the data plane if there is none; whether one was taken up, whose state is shown then."""
        self._gone.clear()
        self._taken_up.clear()
        post = self._context.owner.post
        taken_up = await self._context.asking.launch(
            lambda notice: post(self._take, notice),
            lambda reason: post(self._take, Death(reason)),
            storage.dump(self._context.configuration),
        )
        if taken_up:
            await self._taken_up.wait()
        with self._context.changing_engine() as engine:
            plane = self._context.asking.plane
            engine.process_id = plane.process_id or 0
            engine.starts = plane.start.number if plane.start is not None else 0
        return taken_up

    def _kill(self, why: str) -> None:
        self._killed_for = why
        self._context.asking.plane.kill()

    def _opened(self, state: RepeaterState) -> None:
        self._rates = figures.Rates()
        self._losses, self._lost_at = 0, -LOSS_TIME
        self._enter(state)

    def _closing(self, state: RepeaterState) -> None:
        self._drained.clear()
        self._put_draining()
        self._enter(state)

    def _enter(self, state: RepeaterState) -> None:
        self._context.state = state
        if not states.is_open(state):
            with self._context.changing_engine() as engine:
                engine.losing = False
        self._show()

    def _show(self) -> None:
        """Put the state, or that it is not known now, and what may be done."""
        commands = [c for c in allowed(REPEATER, self.state) if c != "failed"] + sorted(ALWAYS_ALLOWED)
        with self._context.changing_engine() as engine:
            engine.allowed_commands = " ".join(commands)
        with self._context.changing_engine() as engine:
            engine.state = RepeaterState.UNKNOWN if self._stalled else self.state
        self.describe()

    @property
    def _patience(self) -> float:
        return self._context.configuration.engine.stall_patience

    def _why_draining(self) -> str:
        return f"the last stop still drains, {self._context.engine.draining} frames left; try again then"

    def _put_draining(self) -> None:
        with self._context.changing_engine() as engine:
            engine.draining, engine.draining_time = self._situation.draining()

    def _counted(self, report: control.Report) -> dict[str, Value]:
        """The counters and rates of the input and the streams, by key."""
        source = self._context.status(SourceStatus, Group.SOURCE)
        figures.count_source(source, report.source, report.clock, self._rates)
        found = by_key(source, Group.SOURCE)
        for slot, counted in report.streams.items():
            stream = self._context.status(StreamStatus, Group.STREAM, slot)
            figures.count_stream(stream, counted, f"s{slot}", report.clock, self._rates)
            found |= by_key(stream, Group.STREAM, slot)
        return found

    def _occupied(self, values: dict[str, Value]) -> dict[str, Value]:
        """Without what belongs to a slot that has been emptied meanwhile."""
        known = self._context.board.values
        return {
            key: value
            for key, value in values.items()
            if key.count(".") == 1 or known[f"{key.rpartition('.')[0]}.name"] is not None
        }
