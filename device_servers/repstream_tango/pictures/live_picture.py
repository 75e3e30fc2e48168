"""Device class `LivePicture`: one picture of an engine, and what is counted in it."""

from __future__ import annotations

from collections.abc import Sequence

from tango import DevState

from repstream.pictures.link import GROUP
from repstream_tango.pictures.attributes import PictureAttribute, own_attributes
from repstream_tango.pictures.device import PictureDevice
from repstream_tango.slot import SlotDevice
from repstream_tango.states import PICTURE_ROLES, picture_state, picture_status


class LivePictureDevice(SlotDevice, PictureDevice):
    """The picture in one slot of an engine."""

    group = GROUP
    roles = PICTURE_ROLES

    def own_pictures(self) -> Sequence[PictureAttribute]:
        return tuple(own_attributes(self.catalogue, self.slot))

    def engine_state(self) -> DevState:
        return picture_state(self.of_engine, self.of_slot)

    def engine_status(self) -> str:
        return picture_status(self.of_engine, self.of_slot, self.slot)
