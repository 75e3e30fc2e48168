"""From which values on a number of the beam is a warning or an alarm: key `alarms` of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Self

import msgspec
from pydantic import Field, model_validator

from repstream.parameters.catalogue import Catalogue, key_of
from repstream.parameters.facts import Alarm, Section
from repstream.parameters.instance import BEAM, BeamStatus


class AlarmLevels(Section):
    """The levels of one number, in its own unit; what is left out is no level."""

    alarm_low: float | None = Field(None, title="Low alarm", description="An alarm at this value and below.")
    warning_low: float | None = Field(
        None, title="Low warning", description="A warning at this value and below."
    )
    warning_high: float | None = Field(
        None, title="High warning", description="A warning at this value and above."
    )
    alarm_high: float | None = Field(
        None, title="High alarm", description="An alarm at this value and above."
    )

    @model_validator(mode="after")
    def _rise(self) -> Self:
        given = [(name, level) for name, level in self if level is not None]
        for (lower, low), (higher, high) in pairwise(given):
            if low > high:
                raise ValueError(f"{lower} ({low:g}) is above {higher} ({high:g})")
        return self


def check_numbers(alarms: Mapping[str, AlarmLevels]) -> None:
    """Raises `ValueError` for a name that is no number of the beam."""
    for name in alarms:
        if name not in BeamStatus.model_fields:
            raise ValueError(f"there is no {name!r:.80}, only {', '.join(BeamStatus.model_fields)}")


def with_alarms(catalogue: Catalogue, alarms: Mapping[str, AlarmLevels]) -> Catalogue:
    """The catalogue of a pipeline that has these alarm levels in place of the usual ones."""
    parameters = dict(catalogue.parameters)
    for name, levels in alarms.items():
        key = key_of(BEAM, 0, name)
        parameters[key] = msgspec.structs.replace(parameters[key], alarm=Alarm(**levels.model_dump()))
    return msgspec.structs.replace(catalogue, parameters=parameters)
