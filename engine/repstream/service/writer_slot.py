"""What the parts of one writer share: its settings, its values, and the commands that wait for it."""

from __future__ import annotations

from repstream import states
from repstream.errors import Refused
from repstream.parameters import slots
from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Shown
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import NEWEST, PREVIOUS, AcquisitionStatus
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
        if self.name is None or self.board.state is None:
            return True
        if states.is_writing(self.state):
            return self.board.acquisition(NEWEST).acq_state in OVER
        return states.is_ready(self.state)

    @property
    def configuration(self) -> WriterConfig:
        name = self.name
        if name is None:
            raise _empty(self.number)
        return self.context.configuration.writers[name]

    def subject(self, command: str) -> str:
        """What an error of a command is about."""
        return f"writers.{self.name or self.number}.{command}"

    @property
    def newest(self) -> AcquisitionStatus:
        return self.board.acquisition(NEWEST)

    def note_start(self, result: StartResult, message: str, acquisition_id: str = "") -> None:
        """Put what became of the last arm or start, for scripts that must not miss it."""
        if self.name is None:
            return
        writer = self.board.writer
        known_late = writer.start_result is StartResult.UNKNOWN
        writer.start_id, writer.start_message = acquisition_id, message
        self.board.show(writer)
        writer.start_result = result
        writer.start_count += 0 if known_late else 1
        self.board.show(writer)

    def show_result_of_start(self, which: Shown, result: AcquisitionResult, message: str) -> None:
        """The last start has come to its end with this acquisition, unless it was for another."""
        writer = self.board.writer
        if writer.start_id != self.board.acquisition(which).acquisition_id:
            return
        outcome, writer.start_message = self._outcome(which, result, message)
        self.board.show(writer)
        writer.start_result = outcome
        self.board.show(writer)

    def end_commands(self, which: Shown, result: AcquisitionResult, message: str) -> None:
        """End all commands that wait for an acquisition: each has got what it wanted, or not."""
        handles = self.handles[which]
        outcome, message = self._outcome(which, result, message)
        fault = states.is_fault(result)
        if fault:
            self.context.note_error(f"writer {self.name}: {message}")
        what = (message, outcome.value, self.board.acquisition(which).acquisition_id)
        for wanting in handles.wanting_images:
            self.context.end(wanting, outcome is StartResult.COMPLETED, *what)
        self.context.end(handles.stop, not fault and not states.is_aborted(result), *what)
        self.context.end(handles.abort, not fault, *what)

    def _outcome(self, which: Shown, result: AcquisitionResult, message: str) -> tuple[StartResult, str]:
        """What an acquisition that has ended means for who started it, with how many images are missing."""
        acquisition = self.board.acquisition(which)
        written, requested = acquisition.num_written, acquisition.num_requested
        outcome = states.result_of_start(result, written, requested)
        if outcome is StartResult.INTERRUPTED:
            message = f"{written} of {requested} images: {message}"
        return outcome, message


def _empty(slot: int) -> Refused:
    return Refused(f"writers.{slot}", "there is no writer in this slot; configure adds one")
