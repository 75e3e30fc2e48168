"""Device class `RepStream`: the repeater, its source and its streams."""

from __future__ import annotations

from collections.abc import Iterable

from tango import DevState

from repstream_tango.device import EngineDevice
from repstream_tango.states import REPEATER_ROLES, repeater_state, repeater_status


class RepeaterDevice(EngineDevice):
    """The repeater of one engine."""

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(role) for role in REPEATER_ROLES)

    def engine_state(self) -> DevState:
        return repeater_state(self.of_engine)

    def engine_status(self) -> str:
        return repeater_status(self.of_engine)
