"""The course of one acquisition as Lima has it: prepared, started, ended, in commands of the first writer.

With saving, `prepareAcq` opens the file and `startAcq` the gate. Without, images are only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

from repstream.errors import Refused
from repstream.parameters.facts import Value
from repstream.protocol import Completion, Engine, Handle, Requester
from repstream.states import StartResult, has_no_file, has_no_image, is_open, is_unknown, is_writing
from repstream_tango.lima.conversions import WRITER

ENGINE, RECEIVED = "engine.state", "source.received"
LAST_ID, ID_STEP = "source.last_frame_id", "source.id_step"
STATE, ACQUISITION, GATE = f"{WRITER}state", f"{WRITER}acq_state", f"{WRITER}gate"
WRITTEN, QUEUED = f"{WRITER}num_written", f"{WRITER}queued"
NUMBER, INCREMENT, WANTED = f"{WRITER}file_number", f"{WRITER}auto_increment", f"{WRITER}num_images"
KEEP_EMPTY = f"{WRITER}keep_empty_file"
KEYS = frozenset({ENGINE, RECEIVED, STATE, ACQUISITION, GATE, WRITTEN, QUEUED, NUMBER, INCREMENT, WANTED})
"""What the course follows."""

PATIENCE = 2.0
"""Seconds that a command waits for a file to be opened or closed; the device answers nobody meanwhile.

Lima's own commands return when that is done, and clients look at once; they wait 3 s for an answer.
"""

HOLD = 1.0
"""Seconds after startAcq for which the number of the next file stays that of its file.

Sardana reads the number after startAcq to know the name of the file, which may be complete by then.
"""

AS_IN_LIMA: Mapping[str, Value] = {INCREMENT: True, KEEP_EMPTY: False}
"""What `prepareAcq` sets of the writer: each file has a number of its own, and none is without images."""


class Course:
    """The newest acquisition; `changed` is called, from any thread, when it has ended."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        self._engine, self._changed = engine, changed
        self._saves, self._prepared = True, False
        self._start: Handle | None = None
        self._stopped = False
        self._started = float("-inf")
        self._counting = False
        self._since = self._counted = 0
        self._first_id: int | None = None
        self._by_hand = -1
        self._fault = ""

    @property
    def fault(self) -> str:
        """Why the acquisition is at fault; empty: it is not."""
        state = self._value(STATE)
        if state is None:
            return "the engine has no writer in slot 1; add one to its configuration"
        if is_unknown(state):
            return "nothing is known of the writer: the engine or its data plane does not answer"
        if self._counts and not is_open(self._value(ENGINE)):
            return f"the repeater is {self._value(ENGINE)} while images are counted"
        return self._fault

    @property
    def is_running(self) -> bool:
        """Whether an acquisition goes on, from here or elsewhere; not yet where the file only waits."""
        if self._start is not None and self._start.completion is None:
            return True
        if self._counting:
            return self._counts
        if not is_writing(self._value(STATE)):
            return False
        waits = has_no_file(self._value(ACQUISITION)) or has_no_image(self._value(ACQUISITION))
        return self._value(GATE) == "open" or not waits

    @property
    def status(self) -> str:
        """In Lima's words."""
        return "Fault" if self.fault else ("Ready", "Running")[self.is_running]

    @property
    def last_saved(self) -> int:
        """Number of the last image in the file, or of the one that was saved last by hand."""
        return int(self._value(WRITTEN) or 0) - 1 if self._saves else self._by_hand

    @property
    def last_ready(self) -> int:
        """Number of the last image that can be read."""
        return self.last_saved if self._saves else self._count() - 1

    @property
    def last_acquired(self) -> int:
        """Number of the last image that was taken."""
        return self.last_ready + (int(self._value(QUEUED) or 0) if self._saves else 0)

    @property
    def saves(self) -> bool:
        """Whether the images of the newest acquisition are in a file."""
        return self._saves

    def id_of(self, number: int) -> int:
        """Id of an image that was counted without a file, from 0; raises `ValueError` where none was yet."""
        values = self._engine.snapshot().values
        step, counted = int(values[ID_STEP] or 1), int(values[RECEIVED] or 0) - self._since
        if self._first_id is None and counted > 0:
            self._first_id = int(values[LAST_ID] or 0) - (counted - 1) * step
        if self._first_id is None:
            raise ValueError("no image was taken yet")
        return self._first_id + number * step

    @property
    def next_number(self) -> Value:
        """Number of the next file; of the one that is written or was just begun, while it is."""
        number = self._value(NUMBER)
        taken = is_writing(self._value(STATE)) or monotonic() < self._started + HOLD
        if number is None or not taken or not self._value(INCREMENT):
            return number
        return int(number) - 1

    def prepare(self, saves: bool, requester: Requester) -> None:
        """Open the file, or get ready to count; raises `Refused`."""
        if self.is_running:
            raise Refused("prepareAcq", "an acquisition goes on; call stopAcq first")
        self.take_back(requester)
        self.forget()
        if saves:
            if changes := {key: value for key, value in AS_IN_LIMA.items() if self._value(key) != value}:
                self._engine.write(changes, requester)
            opened = _settled(self._engine.execute(f"{WRITER}arm", None, requester))
            if opened is not None and not opened.ok:
                raise Refused("prepareAcq", opened.message)
        self._saves, self._prepared = saves, True

    def start(self, requester: Requester) -> None:
        """Take images; raises `Refused`."""
        if not self._prepared:
            raise Refused("startAcq", "Run prepareAcq before starting acquisition")
        self._stopped = False
        if self._saves:
            self._start = self._engine.execute(f"{WRITER}start", None, requester)
            self._started = monotonic()
            self._start.on_done(self._ended)
        else:
            values = self._engine.snapshot().values
            runs, last = is_open(values[ENGINE]), values[LAST_ID]
            self._since = int(values[RECEIVED] or 0) if runs else 0
            self._first_id = (
                int(last) + int(values[ID_STEP] or 1) if runs and self._since and last is not None else None
            )
            if not runs:
                self._engine.execute("engine.start", None, requester)
            self._counting = True
        self._prepared = False

    def stop(self, command: str, requester: Requester) -> None:
        """End what goes on, by `stop` or `abort` of the writer; also clears a fault."""
        self._counted, self._counting = self._count(), False
        self._stopped, self._prepared, self._fault = True, False, ""
        if is_writing(self._value(STATE)):
            self._end(command, requester)

    def take_back(self, requester: Requester) -> bool:
        """Take back what was prepared and not started, with its file; whether there was a file.

        Then settings may be written.
        """
        had_file = self._prepared and self._saves
        if had_file:
            self._end("abort", requester)
        self._prepared = False
        return had_file

    def forget(self) -> None:
        """The acquisition before is none any more."""
        self._start, self._started = None, float("-inf")
        self._counting, self._counted, self._by_hand, self._fault = False, 0, -1, ""

    def numbered(self) -> None:
        """The number of the next file was written."""
        self._started = float("-inf")

    def saved_by_hand(self, number: int) -> None:
        """An image of an acquisition without a file was saved."""
        self._by_hand = number
        self.numbered()
        self._changed()

    def _end(self, command: str, requester: Requester) -> None:
        """End what is written; a file without images goes, and the next one gets its number, as in Lima."""
        ended = _settled(self._engine.execute(f"{WRITER}{command}", None, requester))
        if ended is None or self._value(WRITTEN) or self._value(KEEP_EMPTY) or not self._value(INCREMENT):
            return
        if number := int(self._value(NUMBER) or 0):
            self._engine.write({NUMBER: number - 1}, requester)
            self.numbered()

    def _ended(self, completion: Completion) -> None:
        if not self._stopped and completion.result != StartResult.COMPLETED:
            self._fault = completion.message
        self._changed()

    def _count(self) -> int:
        """Images counted without a file."""
        if not self._counting:
            return self._counted
        count = max(int(self._value(RECEIVED) or 0) - self._since, 0)
        return min(count, self._wanted) if self._wanted else count

    @property
    def _counts(self) -> bool:
        """Whether images without a file are still to come."""
        return self._counting and (not self._wanted or self._count() < self._wanted)

    @property
    def _wanted(self) -> int:
        return int(self._value(WANTED) or 0)

    def _value(self, key: str) -> Value:
        return self._engine.read(key).value


def _settled(handle: Handle) -> Completion | None:
    """How a command ended; None where it goes on for longer than can be waited."""
    try:
        return handle.wait(PATIENCE)
    except TimeoutError:
        return None
