"""What the devices that show pictures have in common."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tango import AttrQuality

from repstream.parameters.facts import Value
from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture
from repstream_tango.device import EngineDevice
from repstream_tango.pictures.attributes import PictureAttribute
from repstream_tango.pictures.desk import PictureDesk
from repstream_tango.refusal import as_devfailed


class PictureDevice(EngineDevice):
    """A device with attributes that show pictures of its engine."""

    picture_attributes: ClassVar[tuple[PictureAttribute, ...]]
    """Those of the class; for a class of one slot a device, of slot 1."""
    pictures: PictureLink
    _desk: PictureDesk | None = None

    def init_device(self) -> None:
        super().init_device()
        if self._engine is not None:
            self.pictures = PictureLink(self._engine)
            shown = self.own_pictures()
            self._by_name = {one.name: one for one in shown}
            self._desk = PictureDesk(self, self.pictures, shown, self.publisher)

    def own_pictures(self) -> Sequence[PictureAttribute]:
        """The attributes of the class as this device shows them."""
        return self.picture_attributes

    def delete_device(self) -> None:
        super().delete_device()
        if self._desk is not None:
            self._desk.close()
            self._desk = None
            self.pictures.close()

    def read_attr_hardware(self, indices: Any) -> None:
        """Called before the attributes of one request are read: they all show the same picture."""
        super().read_attr_hardware(indices)
        if self._desk is not None:
            self._desk.begin_request()

    def read_picture(self, shown: PictureAttribute) -> tuple[Any, float, AttrQuality]:
        """Value, time and quality of an attribute that shows a picture."""
        with as_devfailed(f"{self.get_name()}/{shown.name}"):
            self.engine(shown.name)
            shown = self._by_name[shown.name]
            picture = self._desk.latest(shown.slot) if self._desk is not None else None
        if picture is None:
            return shown.nothing, time.time(), AttrQuality.ATTR_INVALID
        return self.encoded(shown, picture), picture.time, AttrQuality.ATTR_VALID

    def encoded(self, shown: PictureAttribute, picture: Picture) -> Any:
        """A picture as an attribute shows it."""
        return shown.value(picture, *map(self.value, shown.of))

    def push_more(self, values: Mapping[str, Value], times: Mapping[str, float], at: float) -> None:
        if times and self._desk is not None:
            self._desk.tend()
