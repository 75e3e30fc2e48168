"""What goes on in the repeater as a whole, from what is on the board: sentences and sums."""

from __future__ import annotations

from collections.abc import Iterator

from repstream import states
from repstream.parameters.catalogue import Group
from repstream.parameters.output_status import OutputStatus
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.writer_status import NEWEST, AcquisitionStatus, WriterStatus
from repstream.service.context import ServiceContext
from repstream.service.waiting import PATIENCE, amount_left, silent_disk, time_left
from repstream.states import RepeaterState


class Situation:
    """What the engine of a context says about itself now."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    @property
    def blocking(self) -> list[str]:
        """The outputs that hold up the source, as last reported: ``stream live``, ``writer main``."""
        return [f"{singular} {output.name}" for singular, output in self._outputs() if output.blocking]

    def silent_disks(self) -> str:
        """The writers whose disk does not answer; empty where there is none."""
        silent = [
            f"the disk of writer {writer.name} has not answered for {seconds:.0f} s"
            for slot, writer, newest in self._writers()
            if (seconds := silent_disk(writer, newest, self._context.since_start(slot))) >= PATIENCE
        ]
        return ", ".join(silent)

    def draining(self) -> tuple[int, float | None]:
        """How many frames wait in all outputs, and how many seconds the slowest takes, if that is known."""
        outputs = [output for _, output in self._outputs()]
        times = [time_left(output.queued or 0, output.rate) for output in outputs]
        known = [seconds for seconds in times if seconds is not None]
        frames = sum(output.queued or 0 for output in outputs)
        return frames, max(known, default=0.0) if len(known) == len(times) else None

    def sentence(self, state: RepeaterState, drains: bool) -> str:
        """What goes on, for people. `drains`: what came before the last stop is still sent or written."""
        engine = self._context.status(EngineStatus, Group.ENGINE)
        if states.is_open(state):
            return self._running(engine)
        if states.is_in_error(state):
            return f"Error: {engine.last_error}."
        if drains:
            left = amount_left(engine.draining, engine.draining_time)
            disks = self.silent_disks()
            return f"Stopped; draining, {left}{f'; {disks}, reset gives it up' if disks else ''}."
        if states.is_stopped(state):
            return "Stopped."
        return f"Ready to start, source {self._context.configuration.source.address}."

    def _running(self, engine: EngineStatus) -> str:
        source = self._context.status(SourceStatus, Group.SOURCE)
        held = f"; held up by {', '.join(blocking)}" if (blocking := self.blocking) else ""
        space = "".join(
            f"; writer {w.name}: {w.space_warning}" for _, w, _ in self._writers() if w.space_warning
        )
        losing = "; losing frames" if engine.losing else ""
        link = "" if source.connected else f" ({source.link_problem or 'not connected'})"
        address = self._context.configuration.source.address
        return f"Running: {source.rate or 0.0:.1f} Hz from {address}{link}{held}{losing}{space}."

    def _outputs(self) -> Iterator[tuple[str, OutputStatus]]:
        """What each stream and writer says, with the word for it."""
        catalogue = self._context.catalogue
        for group in (Group.STREAM, Group.WRITER):
            for slot in catalogue.slots(group):
                yield catalogue.groups[group].singular, self._context.status(OutputStatus, group, slot)

    def _writers(self) -> Iterator[tuple[int, WriterStatus, AcquisitionStatus]]:
        """The slot of each writer, what it says, and about its newest acquisition."""
        for slot in self._context.catalogue.slots(Group.WRITER):
            newest = self._context.status(AcquisitionStatus, Group.WRITER, slot, NEWEST.prefix)
            yield slot, self._context.status(WriterStatus, Group.WRITER, slot), newest
