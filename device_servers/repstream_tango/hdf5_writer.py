"""Device class `HDF5Writer`: one writer of an engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from tango import DevState

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Role, Value
from repstream_tango.device import EngineDevice
from repstream_tango.states import WRITER_ROLES, writer_state, writer_status


class WriterDevice(EngineDevice):
    """The writer in one slot of an engine."""

    slots: ClassVar[range]
    Slot: int
    """Property: slot of the writer; 0 takes the number that the device's name ends with, else 1."""

    def find_slot(self) -> int:
        slot = self.Slot or slot_of(self.get_name())
        if slot not in self.slots:
            raise ValueError(
                f"the property Slot says {slot}, but writers have the slots 1 to {len(self.slots)}"
            )
        return slot

    def of_writer(self, role: Role) -> Value:
        """The writer's value that has a role."""
        return self.value(self.catalogue.key(role, Group.WRITER, self.slot))

    def state_keys(self) -> Iterable[str]:
        own = (self.catalogue.key(role, Group.WRITER, self.slot) for role in WRITER_ROLES)
        return (self.key_of_engine(Role.STATE), *own)

    def engine_state(self) -> DevState:
        return writer_state(self.of_engine, self.of_writer)

    def engine_status(self) -> str:
        return writer_status(self.of_engine, self.of_writer, self.slot)


def slot_of(device_name: str) -> int:
    """The number that a device's name ends with, 1 where there is none."""
    number = re.search(r"(\d+)$", device_name)
    return int(number[1]) if number else 1
