"""What goes on in the repeater as a whole, from the values on the board: sentences and sums. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from repstream import states
from repstream.parameters.catalogue import Catalogue, Group, key_of
from repstream.parameters.facts import Value
from repstream.service.waiting import PATIENCE, amount_left, silent_disk, time_left
from repstream.states import RepeaterState


class Situation:
    """The values of an engine now; `values` may change under it, as the board's do."""

    def __init__(self, catalogue: Catalogue, values: Mapping[str, Value]) -> None:
        self._catalogue = catalogue
        self._values = values

    @property
    def blocking(self) -> list[str]:
        """The outputs that hold up the source, as last reported: ``stream live``, ``writer main``."""
        values = self._values
        return [
            f"{self._catalogue.groups[group].singular} {values[key_of(group, slot, 'name')]}"
            for group in self._catalogue.named
            for slot in self._catalogue.slots(group)
            if values[key_of(group, slot, "blocking")]
        ]

    def silent_disks(self, now: float) -> str:
        """The writers whose disk does not answer; empty where there is none. `now` in Unix seconds."""
        silent = [
            f"the disk of writer {writer['name']} has not answered for {seconds:.0f} s"
            for writer in map(self._writer, self._catalogue.slots(Group.WRITER))
            if (seconds := silent_disk(writer, now)) >= PATIENCE
        ]
        return ", ".join(silent)

    def draining(self) -> tuple[int, float | None]:
        """How many frames wait in all outputs, and how many seconds the slowest takes, if that is known."""
        frames, times = 0, list[float | None]()
        for group in self._catalogue.named:
            for slot in self._catalogue.slots(group):
                queued = int(self._values[key_of(group, slot, "queued")] or 0)
                frames += queued
                times.append(time_left(queued, self._values[key_of(group, slot, "rate")]))
        known = [seconds for seconds in times if seconds is not None]
        return frames, max(known, default=0.0) if len(known) == len(times) else None

    def sentence(self, state: RepeaterState, drains: bool, now: float) -> str:
        """What goes on, for people. `drains`: what came before the last stop is still sent or written."""
        values = self._values
        if states.is_open(state):
            return self._running()
        if state is RepeaterState.ERROR:
            return f"Error: {values['engine.last_error']}."
        if drains:
            left = amount_left(int(values["engine.draining"] or 0), values["engine.draining_time"])
            disks = self.silent_disks(now)
            return f"Stopped; draining, {left}{f'; {disks}, reset gives it up' if disks else ''}."
        if state is RepeaterState.STOPPED:
            return "Stopped."
        return f"Ready to start, source {values['source.address']}."

    def _running(self) -> str:
        values = self._values
        held = f"; held up by {', '.join(self.blocking)}" if self.blocking else ""
        space = "".join(f"; {warning}" for warning in self._space_warnings())
        losing = "; losing frames" if values["engine.losing"] else ""
        rate = values["source.rate"] or 0.0
        problem = values["source.link_problem"] or "not connected"
        link = "" if values["source.connected"] else f" ({problem})"
        return f"Running: {rate:.1f} Hz from {values['source.address']}{link}{held}{losing}{space}."

    def _space_warnings(self) -> list[str]:
        values = self._values
        slots = self._catalogue.slots(Group.WRITER)
        warnings = {values[f"writers.{slot}.name"]: values[f"writers.{slot}.space_warning"] for slot in slots}
        return [f"writer {name}: {warning}" for name, warning in warnings.items() if warning]

    def _writer(self, slot: int) -> dict[str, Value]:
        return {p.field: self._values[p.key] for p in self._catalogue.of(Group.WRITER, slot)}
