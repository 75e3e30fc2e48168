"""Device class `HDF5Writer`: one writer of an engine."""

from __future__ import annotations

from tango import AutoTangoAllowThreads, DevState
from tango.server import command

from repstream.parameters.catalogue import Command, Group
from repstream.parameters.facts import Role
from repstream_tango.refusal import NOT_FINISHED, REFUSED, as_devfailed, fail
from repstream_tango.slot import SlotDevice
from repstream_tango.states import WRITER_ROLES, writer_state, writer_status
from repstream_tango.waiting import StartWait

LONGEST_WAIT = 3600.0


class WriterDevice(SlotDevice):
    """The writer in one slot of an engine."""

    group = Group.WRITER
    roles = WRITER_ROLES
    _start: StartWait | None = None

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            state = self.key_of_engine(Role.STATE)
            self._start = StartWait(self._engine, self.own_key(Role.START_RESULT), state)

    def delete_device(self) -> None:
        if self._start is not None:
            self._start.cancel()
        super().delete_device()

    @command(  # type: ignore[untyped-decorator]  # pytango has no types
        doc_in="Longest time to wait in s, 0 to 3600.", doc_out="Result, as StartResult names it."
    )
    def WaitFinished(self, timeout: float) -> str:
        """Wait for the end of the last start; other clients of the device are served meanwhile.

        The client's own time-out (3 s, `set_timeout_millis`) must be longer.
        """
        origin = f"{self.get_name()}/WaitFinished"
        self.engine("WaitFinished")
        assert self._start is not None
        if not 0 <= timeout <= LONGEST_WAIT:
            text = f"a time-out of {timeout:g} s is not possible: must be 0 to {LONGEST_WAIT:g}"
            fail(REFUSED, text, origin)
        try:
            with as_devfailed(origin), AutoTangoAllowThreads(self):
                return str(self._start.wait(timeout))
        except TimeoutError:
            return fail(NOT_FINISHED, f"Not finished within {timeout:g} s. {self.dev_status()}", origin)

    def answer_of(self, given: Command) -> str | None:
        """Of a command that takes long the id of the acquisition that it is about."""
        return str(self.of_slot(Role.START_ID) or "") if given.waits else None

    def engine_state(self) -> DevState:
        return writer_state(self.of_engine, self.of_slot)

    def engine_status(self) -> str:
        return writer_status(self.of_engine, self.of_slot, self.slot)
