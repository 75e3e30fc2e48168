"""Device class `RepStream`: the repeater, its source, its streams and its pictures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tango import AttrQuality, DevState

from repstream.parameters.facts import Value
from repstream_tango.device import EngineDevice
from repstream_tango.lists import ListAttribute
from repstream_tango.pictures.attributes import PictureAttribute
from repstream_tango.pictures.desk import PictureDesk
from repstream_tango.refusal import as_devfailed
from repstream_tango.states import REPEATER_ROLES, repeater_state, repeater_status


class RepeaterDevice(EngineDevice):
    """The repeater of one engine."""

    list_attributes: ClassVar[tuple[ListAttribute, ...]]
    picture_attributes: ClassVar[tuple[PictureAttribute, ...]]
    _desk: PictureDesk | None = None

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            self._desk = PictureDesk(self, self._engine, self.picture_attributes, self.publisher)

    def delete_device(self) -> None:
        super().delete_device()
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(role) for role in REPEATER_ROLES)

    def engine_state(self) -> DevState:
        return repeater_state(self.of_engine)

    def engine_status(self) -> str:
        return repeater_status(self.of_engine)

    def read_attr_hardware(self, indices: Any) -> None:
        """Called before the attributes of one request are read: they all show the same picture."""
        super().read_attr_hardware(indices)
        if self._desk is not None:
            self._desk.begin_request()

    def read_picture(self, shown: PictureAttribute) -> tuple[Any, float, AttrQuality]:
        """Value, time and quality of an attribute that shows a picture."""
        with as_devfailed(f"{self.get_name()}/{shown.name}"):
            self.engine(shown.name)
            picture = self._desk.latest(shown.slot) if self._desk is not None else None
        if picture is None:
            return shown.nothing, time.time(), AttrQuality.ATTR_INVALID
        return shown.value(picture), picture.time, AttrQuality.ATTR_VALID

    def read_list(self, shown: ListAttribute) -> tuple[list[Any], float, AttrQuality]:
        """Value, time and quality of an attribute that shows all slots."""
        with as_devfailed(f"{self.get_name()}/{shown.name}"):
            return shown.value(self.reading)

    def push_more(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        again = bool(times)
        for shown in self.list_attributes:
            if not shown.keys.isdisjoint(values):
                self.events.push(shown.name, shown.value(self.reading), again=again, gradual=shown.is_gradual)
        if times and self._desk is not None:
            self._desk.tend()
