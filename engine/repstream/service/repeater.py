"""The repeater: its states, start, stop and drain, and what happens when the data plane dies."""

from __future__ import annotations

import time
from collections.abc import Mapping

from repstream.dataplane import control
from repstream.errors import Refused
from repstream.link.handles import PendingHandle
from repstream.parameters import storage
from repstream.parameters.catalogue import Group, key_of
from repstream.parameters.facts import Value
from repstream.service import figures
from repstream.service.core import Core
from repstream.service.waiting import amount_left, time_left
from repstream.states import ALWAYS_ALLOWED, REPEATER, RepeaterState, after, allowed

PATIENCE = 2.0
"""Seconds that a stop waits for consumers that take nothing."""

LOSS_TIME = 5.0
"""Seconds for which an unplanned loss shows as ALARM."""


class Repeater:
    """Commands and events of the repeater; whoever calls holds the core's lock."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._draining = False
        self._stops: list[PendingHandle] = []
        self._rates = figures.Rates()
        self._losses = 0
        self._lost_at = -LOSS_TIME

    @property
    def state(self) -> RepeaterState:
        return RepeaterState(str(self._core.board.values["engine.state"]))

    def initialize(self, command: str = "initialize") -> None:
        """Check the configuration, have a data plane ready, clear the error."""
        following = after(REPEATER, self.state, command, f"engine.{command}")
        self.check_addresses(f"engine.{command}")
        self._wait_drained(f"engine.{command}")
        self.launch()
        self._enter(following)

    def launch(self) -> None:
        """Start the data plane if there is none."""
        self._core.plane.launch(self._core.on_notice, self._core.on_death)
        self._core.put({"engine.process_id": self._core.plane.process_id or 0})

    def start(self) -> None:
        """Bind everything and run; raises `Refused` and leaves the state as it was."""
        subject = "engine.start"
        following = after(REPEATER, self.state, "start", subject)
        self.check_addresses(subject)
        self._wait_drained(subject)
        self.launch()
        text = storage.dump(self._core.configuration)
        self._rates = figures.Rates()
        self._losses, self._lost_at = 0, -LOSS_TIME
        self._core.ask(subject, lambda number: control.Open(number, text))
        self._enter(following)

    def stop(self, handle: PendingHandle) -> None:
        """Stop receiving; `handle` ends when all is drained, at once where there is nothing to do."""
        following = after(REPEATER, self.state, "stop", "engine.stop")
        if self.state is RepeaterState.RUNNING:
            self._core.ask("engine.stop", lambda number: control.Close(number, PATIENCE))
            self._draining = True
            self._put_draining()
            self._enter(following)
        if self._draining:
            self._stops.append(handle)
        else:
            self._core.end([handle], True, "stopped")

    def reset(self) -> None:
        """Clear the error; out of ERROR this initialises."""
        if self.state is not RepeaterState.RUNNING:
            self.initialize("reset")
        self._core.put({"engine.last_error": "", "engine.last_error_time": 0.0, "engine.error_count": 0})
        self._lost_at = -LOSS_TIME
        self._core.put({"engine.losing": False})
        self.describe()

    def on_report(self, report: control.Report, writers: Mapping[str, Value]) -> None:
        """Publish a report: the counters that are known here, and those of the writers, by key."""
        if report.losses > self._losses:
            self._lost_at = time.monotonic()
        self._losses = report.losses
        values = {**figures.values(report, self._rates), **writers, "engine.losing": self.losing}
        self._core.put(self._occupied(values))
        if self._draining:
            self._put_draining()
        self.describe()

    @property
    def blocking(self) -> list[str]:
        """The outputs that hold up the source, as last told: ``stream live``, ``writer main``."""
        values = self._core.board.values
        return [
            f"{self._core.catalogue.groups[group].singular} {values[key_of(group, slot, 'name')]}"
            for group in self._core.catalogue.named
            for slot in self._core.catalogue.slots(group)
            if values[key_of(group, slot, "blocking")]
        ]

    @property
    def losing(self) -> bool:
        return self.state is RepeaterState.RUNNING and time.monotonic() - self._lost_at < LOSS_TIME

    def on_closed(self, notice: control.Closed) -> None:
        """Everything is drained and closed, and its last report published."""
        self._draining = False
        self._core.put({"engine.draining": 0, "engine.draining_time": None})
        left = f", {notice.undelivered} frames found no taker" if notice.undelivered else ""
        self.describe()
        self._core.end(self._stops, True, f"stopped{left}")
        self._core.changed.notify_all()

    def on_death(self, reason: str) -> None:
        """The data plane died: ERROR, with its exit reason."""
        self._draining = False
        self._core.put({"engine.process_id": 0, "engine.draining": 0, "engine.draining_time": None})
        self._core.put({"source.connected": False, "source.link_problem": ""})
        self.fail(f"the data plane died: {reason}; initialize starts it again")
        self._core.end(self._stops, False, f"the data plane died: {reason}")
        self._core.changed.notify_all()

    def fail(self, message: str) -> None:
        """Enter ERROR with a message."""
        self._core.note_error(message)
        self._enter(after(REPEATER, self.state, "failed", "engine"))

    def enter_after(self, command: str) -> None:
        """Follow the table for a command that has been done elsewhere."""
        self._enter(after(REPEATER, self.state, command, f"engine.{command}"))

    def check_addresses(self, subject: str) -> None:
        """Raise `Refused` where two enabled streams would bind one address."""
        seen: dict[str, str] = {}
        for name, stream in self._core.configuration.streams.items():
            if stream.enable and (other := seen.setdefault(stream.address, name)) != name:
                raise Refused(subject, f"streams {other} and {name} have the same address {stream.address}")

    def describe(self) -> None:
        """Say in one sentence what goes on."""
        self._core.put({"engine.status": self._sentence()})

    def _enter(self, state: RepeaterState) -> None:
        commands = [c for c in allowed(REPEATER, state) if c != "failed"] + sorted(ALWAYS_ALLOWED)
        self._core.put({"engine.allowed_commands": " ".join(commands)})
        if state is not RepeaterState.RUNNING:
            self._core.put({"engine.losing": False})
        self._core.put({"engine.state": state.value})
        self.describe()

    def _sentence(self) -> str:
        values = self._core.board.values
        address = values["source.address"]
        match self.state:
            case RepeaterState.RUNNING:
                held = f"; held up by {', '.join(self.blocking)}" if self.blocking else ""
                space = "".join(f"; {warning}" for warning in self._space_warnings())
                losing = "; losing frames" if values["engine.losing"] else ""
                problem = values["source.link_problem"] or "not connected"
                link = "" if values["source.connected"] else f" ({problem})"
                return f"Running: {values['source.rate']:.1f} Hz from {address}{link}{held}{losing}{space}."
            case RepeaterState.ERROR:
                return f"Error: {values['engine.last_error']}."
            case RepeaterState.STOPPED if self._draining:
                left = amount_left(int(values["engine.draining"] or 0), values["engine.draining_time"])
                return f"Stopped; draining, {left}."
            case RepeaterState.STOPPED:
                return "Stopped."
            case _:
                return f"Ready to start, source {address}."

    def _space_warnings(self) -> list[str]:
        values = self._core.board.values
        slots = self._core.catalogue.slots(Group.WRITER)
        warnings = {values[f"writers.{slot}.name"]: values[f"writers.{slot}.space_warning"] for slot in slots}
        return [f"writer {name}: {warning}" for name, warning in warnings.items() if warning]

    def _put_draining(self) -> None:
        """How many frames wait in all outputs, as last told, and how long the slowest takes."""
        values, catalogue = self._core.board.values, self._core.catalogue
        frames, times = 0, list[float | None]()
        for group in catalogue.named:
            for slot in catalogue.slots(group):
                queued = int(values[key_of(group, slot, "queued")] or 0)
                frames += queued
                times.append(time_left(queued, values[key_of(group, slot, "rate")]))
        known = [seconds for seconds in times if seconds is not None]
        longest = max(known, default=0.0) if len(known) == len(times) else None
        self._core.put({"engine.draining": frames, "engine.draining_time": longest})

    def _occupied(self, values: dict[str, Value]) -> dict[str, Value]:
        """Without what belongs to a slot that has been emptied meanwhile."""
        known = self._core.board.values
        return {
            key: value
            for key, value in values.items()
            if key.count(".") == 1 or known[f"{key.rpartition('.')[0]}.name"] is not None
        }

    def _wait_drained(self, subject: str) -> None:
        """Wait a moment for a stop that still drains; raises `Refused` where it takes longer."""
        if not self._core.changed.wait_for(lambda: not self._draining, PATIENCE + 1):
            left = self._core.board.values["engine.draining"]
            raise Refused(subject, f"the last stop still drains, {left} frames left; try again then")
