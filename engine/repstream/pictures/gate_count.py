"""What a slot shows of the openings of a writer's gate, by the fields of `GateStatus`."""

from __future__ import annotations

import math

from repstream.dataplane.control import Opening
from repstream.parameters.facts import Value
from repstream.parameters.picture import GateStatus, PictureConfig
from repstream.pictures import reduce
from repstream.pictures.integration import Integral, Integration


class GateCount(Integration):
    """An `Integration` whose last opening is in `fields`, empty before the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Value] = {}

    def begins(self, acquisition_id: str, opening: Opening) -> bool:
        """Take what is said of an opening; whether it is a new one, which `fields` then says is open."""
        if not self.hear(acquisition_id, opening):
            return False
        status = GateStatus(gate_state="open", gate_acquisition_id=acquisition_id, gate_number=opening.number)
        self.fields = status.values()
        return True

    def ends(self, config: PictureConfig, now: float, caught_up: float) -> bool:
        """Whether the next opening is over and counted, so that `fields` has its numbers; see `settle`."""
        found = self.settle(now, caught_up)
        if found is None:
            return False
        self.fields = _fields(found, config)
        return True


def _fields(found: Integral, config: PictureConfig) -> dict[str, Value]:
    status = GateStatus(
        gate_state="incomplete" if found.reason else "complete",
        gate_message=found.reason,
        gate_acquisition_id=found.acquisition_id,
        gate_number=found.number,
        gate_expected=found.expected,
        gate_images=found.images,
    )
    fields = status.values()
    names = ["gate", *(f"gate_roi{n}" for n, _, _ in reduce.region_boxes(config))]
    for name, part in zip(names, found.parts, strict=False):
        if part.pixels and math.isfinite(part.sum):
            fields |= {f"{name}_sum": float(part.sum), f"{name}_mean": part.sum / part.pixels}
    return fields
