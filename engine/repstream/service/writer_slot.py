"""What the parts of one writer share: its settings, its values, and the commands that wait for it."""

from __future__ import annotations

from repstream import states
from repstream.errors import Refused
from repstream.parameters import slots
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.status import NEWEST, PREVIOUS
from repstream.parameters.writer import WriterConfig
from repstream.service.context import ServiceContext
from repstream.service.handles import AcquisitionHandles
from repstream.service.writer_board import WriterBoard
from repstream.states import OVER, AcquisitionResult, StartResult, WriterState


class WriterSlot:
    """The writer in one slot of the engine, where there is one; used in the owner's thread.

    `handles`: the commands that wait for the newest acquisition and for the one before it.
    """

    def __init__(self, context: ServiceContext, number: int) -> None:
        self.context = context
        self.number = number
        self.board = WriterBoard(context, number)
        self.handles = {NEWEST: AcquisitionHandles(), PREVIOUS: AcquisitionHandles()}

    @property
    def name(self) -> str | None:
        return slots.name_at(self.context.configuration, Group.WRITER, self.number)

    @property
    def state(self) -> WriterState:
        """Raises `Refused` where there is no writer in this slot."""
        if self.name is None:
            raise _empty(self.number)
        return self.board.state

    @property
    def may_begin(self) -> bool:
        """Whether the next acquisition may be set up: none takes frames, if one is flushed or not."""
        if self.name is None or self.value("state") is None:
            return True
        if self.state is WriterState.WRITING:
            return self.board.acquisition(NEWEST) in OVER
        return self.state is WriterState.READY

    @property
    def configuration(self) -> WriterConfig:
        name = self.name
        if name is None:
            raise _empty(self.number)
        return self.context.configuration.writers[name]

    def subject(self, command: str) -> str:
        """What an error of a command is about."""
        return f"writers.{self.name or self.number}.{command}"

    def value(self, field: str) -> Value:
        return self.board.value(field)

    def put(self, fields: dict[str, Value]) -> None:
        self.board.put(fields)

    def note_start(self, result: StartResult, message: str, acquisition_id: str = "") -> None:
        """Put what became of the last arm or start, for scripts that must not miss it."""
        if self.name is None:
            return
        known_late = self.value("start_result") == StartResult.UNKNOWN
        count = int(self.value("start_count") or 0) + (0 if known_late else 1)
        self.put({"start_id": acquisition_id, "start_message": message})
        self.put({"start_result": result.value, "start_count": count})

    def put_result_of_start(self, which: str, result: AcquisitionResult, message: str) -> None:
        """The last start has come to its end with this acquisition, unless it was for another."""
        if self.value("start_id") != self.value(f"{which}acquisition_id"):
            return
        outcome, message = self._outcome(which, result, message)
        self.put({"start_message": message})
        self.put({"start_result": outcome.value})

    def end_commands(self, which: str, result: AcquisitionResult, message: str) -> None:
        """End all commands that wait for an acquisition: each has got what it wanted, or not."""
        handles = self.handles[which]
        outcome, message = self._outcome(which, result, message)
        fault = states.is_fault(result)
        if fault:
            self.context.note_error(f"writer {self.name}: {message}")
        what = (message, outcome.value, str(self.value(f"{which}acquisition_id")))
        for wanting in handles.wanting_images:
            self.context.end(wanting, outcome is StartResult.COMPLETED, *what)
        self.context.end(handles.stop, not fault and result is not AcquisitionResult.ABORTED, *what)
        self.context.end(handles.abort, not fault, *what)

    def _outcome(self, which: str, result: AcquisitionResult, message: str) -> tuple[StartResult, str]:
        """What an acquisition that has ended means for who started it, with how many images are missing."""
        written = int(self.value(f"{which}num_written") or 0)
        requested = int(self.value(f"{which}num_requested") or 0)
        outcome = states.result_of_start(result, written, requested)
        if outcome is StartResult.INTERRUPTED:
            message = f"{written} of {requested} images: {message}"
        return outcome, message


def _empty(slot: int) -> Refused:
    return Refused(f"writers.{slot}", "there is no writer in this slot; configure adds one")
