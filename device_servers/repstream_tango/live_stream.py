"""Device class `LiveStream`: one stream of an engine."""

from __future__ import annotations

from tango import DevState

from repstream.parameters.catalogue import Group
from repstream_tango.slot import SlotDevice
from repstream_tango.states import STREAM_ROLES, stream_state, stream_status


class StreamDevice(SlotDevice):
    """The stream in one slot of an engine."""

    group = Group.STREAM
    roles = STREAM_ROLES

    def engine_state(self) -> DevState:
        return stream_state(self.of_engine, self.of_slot)

    def engine_status(self) -> str:
        return stream_status(self.of_engine, self.of_slot, self.slot)
