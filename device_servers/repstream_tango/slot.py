"""What the devices have in common that show one slot of an engine: a writer, a stream, a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from repstream.parameters.facts import Role, Value
from repstream_tango.device import EngineDevice


class SlotDevice(EngineDevice):
    """One slot of a group."""

    alone = True
    group: ClassVar[str]
    slots: ClassVar[range]
    roles: ClassVar[tuple[Role, ...]]
    """What State and Status follow from, beside the state of the engine."""
    Slot: str
    """Property: the slot; 0 takes the number that the device's name ends with, else 1."""

    def find_slot(self) -> int:
        text = self.Slot.strip()
        slot = int(text) if text.isdecimal() else -1
        slot = slot or slot_of(self.get_name())
        if slot not in self.slots:
            said = text if slot < 0 else slot
            raise ValueError(
                f"the property Slot says {said}, but {self.group} have the slots 1 to {len(self.slots)}"
            )
        return slot

    def of_slot(self, role: Role) -> Value:
        """The slot's value that has a role."""
        return self.value(self.own_key(role))

    def own_key(self, role: Role) -> str:
        """Key of the slot's parameter that has a role."""
        return self.catalogue.key(role, self.group, self.slot)

    def state_keys(self) -> Iterable[str]:
        of_engine = (self.key_of_engine(role) for role in (Role.STATE, Role.STATUS, Role.ERROR))
        return (*of_engine, *map(self.own_key, self.roles))

    def publish(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        """As `EngineDevice.publish`; most changes are about other slots, and cost nothing here."""
        if times or not (self._shown.keys().isdisjoint(values) and self._causes.isdisjoint(values)):
            super().publish(values, times, at)


def slot_of(device_name: str) -> int:
    """The number that a device's name ends with, 1 where there is none."""
    number = re.search(r"(\d+)$", device_name)
    return int(number[1]) if number else 1
