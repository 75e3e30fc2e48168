"""The Tango server with one more class: a Lima-like device as a small table over the catalogue."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from tango import CmdArgType, DevState
from tango.server import attribute

from repstream.parameters.catalogue import Catalogue, Group
from repstream.parameters.facts import Role
from repstream_tango.device import EngineDevice
from repstream_tango.projection import CLASSES, tango_command
from repstream_tango.refusal import as_devfailed
from repstream_tango.server import main
from repstream_tango.states import repeater_state, repeater_status

FRAMES = "writers.1.num_images"
"""Key of Lima's ``acq_nb_frames``."""


class LimaDevice(EngineDevice):
    """Shows the engine under other names; it holds nothing."""

    def state_keys(self) -> Iterable[str]:
        return (self.key_of_engine(Role.STATE),)

    def engine_state(self) -> DevState:
        return repeater_state(self.of_engine)

    def engine_status(self) -> str:
        return repeater_status(self.of_engine)


def lima_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[EngineDevice]:
    """The class `LimaLike`; fills `projection.MakeClass`."""
    frames, arm = catalogue.parameters[FRAMES], catalogue.commands["writers.1.arm"]
    state = catalogue.key(Role.ACQUISITION, Group.WRITER, 1)

    def read(device: LimaDevice) -> Any:
        return device.read_parameter(frames)

    def write(device: LimaDevice, value: Any) -> None:
        device.write_parameter(frames, value)

    def prepare(device: LimaDevice) -> None:
        device.execute(arm, None)

    def status(device: LimaDevice) -> str:
        with as_devfailed(f"{device.get_name()}/getAcqStatus"):
            return {"NONE": "Ready", "FAILED": "Fault"}.get(str(device.value(state)), "Running")

    members: dict[str, Any] = {
        "parameters": (),
        "acq_nb_frames": attribute(name="acq_nb_frames", dtype=int, fget=read, fset=write),
        "prepareAcq": tango_command("prepareAcq", prepare, arm.text),
        "getAcqStatus": tango_command("getAcqStatus", status, "State.", dtype_out=CmdArgType.DevString),
    }
    return type("LimaLike", (LimaDevice,), {**members, **common})


if __name__ == "__main__":
    sys.exit(main(classes=(*CLASSES, lima_class)))
