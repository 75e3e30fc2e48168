"""Device class `RepStream`: the repeater, its source, its streams and its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tango import AttrQuality, DevState

from repstream.parameters.facts import Value
from repstream_tango.lists import ListAttribute
from repstream_tango.pictures.device import PictureDevice
from repstream_tango.refusal import as_devfailed
from repstream_tango.states import REPEATER_ROLES, repeater_state, repeater_status


class RepeaterDevice(PictureDevice):
    """The repeater of one engine."""

    list_attributes: ClassVar[tuple[ListAttribute, ...]]

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(role) for role in REPEATER_ROLES)

    def engine_state(self) -> DevState:
        return repeater_state(self.of_engine)

    def engine_status(self) -> str:
        return repeater_status(self.of_engine)

    def read_list(self, shown: ListAttribute) -> tuple[list[Any], float, AttrQuality]:
        """Value, time and quality of an attribute that shows all slots."""
        with as_devfailed(f"{self.get_name()}/{shown.name}"):
            return shown.value(self.reading)

    def push_more(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        again = bool(times)
        for shown in self.list_attributes:
            if not shown.keys.isdisjoint(values):
                self.events.push(shown.name, shown.value(self.reading), again=again, gradual=shown.is_gradual)
        super().push_more(values, times, at)
