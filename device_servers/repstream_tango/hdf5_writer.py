"""Device class `HDF5Writer`: one writer of an engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from tango import AutoTangoAllowThreads, DevState
from tango.server import command

from repstream.parameters.catalogue import Command, Group
from repstream.parameters.facts import Role, Value
from repstream_tango.device import EngineDevice
from repstream_tango.refusal import NOT_FINISHED, REFUSED, as_devfailed, fail
from repstream_tango.states import WRITER_ROLES, writer_state, writer_status
from repstream_tango.waiting import StartWait

LONGEST_WAIT = 3600.0


class WriterDevice(EngineDevice):
    """The writer in one slot of an engine."""

    slots: ClassVar[range]
    _start: StartWait | None = None
    Slot: str
    """Property: slot of the writer; 0 takes the number that the device's name ends with, else 1."""

    def find_slot(self) -> int:
        text = self.Slot.strip()
        slot = int(text) if text.isdecimal() else -1
        slot = slot or slot_of(self.get_name())
        if slot not in self.slots:
            said = text if slot < 0 else slot
            raise ValueError(
                f"the property Slot says {said}, but writers have the slots 1 to {len(self.slots)}"
            )
        return slot

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            state = self.key_of_engine(Role.STATE)
            self._start = StartWait(self._engine, self._own_key(Role.START_RESULT), state)

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
        return str(self.of_writer(Role.START_ID) or "") if given.waits else None

    def of_writer(self, role: Role) -> Value:
        """The writer's value that has a role."""
        return self.value(self._own_key(role))

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(Role.STATE), *map(self._own_key, WRITER_ROLES))

    def _own_key(self, role: Role) -> str:
        return self.catalogue.key(role, Group.WRITER, self.slot)

    def engine_state(self) -> DevState:
        return writer_state(self.of_engine, self.of_writer)

    def engine_status(self) -> str:
        return writer_status(self.of_engine, self.of_writer, self.slot)


def slot_of(device_name: str) -> int:
    """The number that a device's name ends with, 1 where there is none."""
    number = re.search(r"(\d+)$", device_name)
    return int(number[1]) if number else 1
