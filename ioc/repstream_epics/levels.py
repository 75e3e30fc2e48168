"""Alarm levels that operators set, ``.HIHI``, ``.HIGH``, ``.LOW`` and ``.LOLO`` of readbacks.

The engine keeps them. They hold for the PVs of an IOC; what other control systems show follows the
declaration.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from repstream.errors import Refused
from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Alarm, Value
from repstream_epics.channels import NumberChannel, Raw
from repstream_epics.refusal import CmdStatus
from repstream_epics.view import Binding, Edit

log = logging.getLogger(__name__)

KEPT = "facade.epics_alarms"
ORDER = "LOLO, LOW, HIGH and HIHI must rise in this order"
FIELDS: Mapping[str, str] = {
    "HIHI": "alarm_high",
    "HIGH": "warning_high",
    "LOW": "warning_low",
    "LOLO": "alarm_low",
}
"""Fields of a record, from the highest level to the lowest, and the facts of a declaration."""


@dataclass(eq=False)
class LevelBook:
    """The levels in force, by parameter; fills `view.Binding` with the text that keeps them."""

    parameters: Mapping[str, Parameter]
    show_again: Callable[[str], Binding | None]
    channels: dict[str, NumberChannel] = field(default_factory=dict)
    _set: dict[str, Parameter] = field(default_factory=dict)

    @property
    def keys(self) -> Sequence[str]:
        return (KEPT,)

    def of(self, parameter: Parameter) -> Parameter:
        """A parameter with the levels in force."""
        return self._set.get(parameter.key, parameter)

    async def show(self, held: Mapping[str, Value], time: float) -> None:
        before, self._set = self._set, dict(self._read(held[KEPT]))
        for key in before.keys() | self._set.keys():
            if key in self.channels:
                await self.channels[key].set_levels(self.of(self.parameters[key]).alarm)
                binding = self.show_again(key)
                if binding is not None:
                    await binding.show(held, time)

    def _read(self, text: Value) -> Mapping[str, Parameter]:
        return {
            key: _with(self.parameters[key], levels)
            for key, levels in _parsed(text).items()
            if key in self.channels and isinstance(levels, dict)
        }


@dataclass(eq=False)
class LevelControl:
    """Takes what is written to one level of one parameter; NaN takes the level away."""

    book: LevelBook
    parameter: Parameter
    name: str

    def request(self, raw: Raw) -> Edit:
        subject = f"{self.parameter.key} {self.name}"
        try:
            level = float(raw)
        except ValueError:
            raise Refused(subject, f"must be a number, not {raw!r}") from None
        alarm = _changed(self.book.of(self.parameter).alarm or Alarm(), self.name, level)
        at = (getattr(alarm, fact) for fact in reversed(tuple(FIELDS.values())))
        ordered = [value for value in at if value is not None]
        if math.isinf(level) or ordered != sorted(ordered):
            raise Refused(subject, f"{level:g} is not possible: {ORDER}")
        return Edit(KEPT, partial(_edited, self.parameter.key, self.name, level))

    async def begun(self, time: float) -> None:
        """A write does not go on."""

    async def answer(self, taken: bool, busy: bool, time: float) -> None:
        """The field shows the level in force anyway."""

    async def report(self, status: CmdStatus, message: str, time: float) -> None:
        if status is not CmdStatus.OK:
            log.warning("%s", message)


def _parsed(text: Value) -> dict[str, Any]:
    return dict(json.loads(str(text))) if text else {}


def _changed(alarm: Alarm, name: str, level: object) -> Alarm:
    number = float(level) if isinstance(level, int | float) and not math.isnan(level) else None
    return msgspec.structs.replace(alarm, **{FIELDS[name]: number})


def _with(parameter: Parameter, levels: Mapping[str, object]) -> Parameter:
    alarm = parameter.alarm or Alarm()
    for name, level in levels.items():
        if name in FIELDS:
            alarm = _changed(alarm, name, level)
    return msgspec.structs.replace(parameter, alarm=alarm)


def _edited(key: str, name: str, level: float, text: Value) -> str:
    kept = _parsed(text)
    kept[key] = {**kept.get(key, {}), name: None if math.isnan(level) else level}
    return json.dumps(kept, sort_keys=True)
