"""What every slot of a group says of one thing, as one attribute: for tables, trends and scans."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tango import AttrQuality, CmdArgType
from tango.server import attribute

from repstream.parameters.catalogue import Catalogue, Group, Parameter
from repstream.parameters.facts import Kind, Level
from repstream.protocol import Reading
from repstream_tango.attributes import tango_attribute
from repstream_tango.events import GRADUAL
from repstream_tango.names import group_name, pascal
from repstream_tango.types import placeholder, tango_type, text_to_tango

EMPTY_TEXT = "Empty slots have an empty text, NaN, 0 or false."


@dataclass(frozen=True)
class ListAttribute:
    """One field of all slots of a group, in the order of the slots."""

    name: str
    group: str
    parameters: tuple[Parameter, ...]

    @property
    def is_gradual(self) -> bool:
        """Whether its values may change with every frame."""
        return self.parameters[0].kind in GRADUAL

    @cached_property
    def keys(self) -> frozenset[str]:
        """What the list is made of."""
        return frozenset(parameter.key for parameter in self.parameters)

    def value(self, read: Callable[[str], Reading]) -> tuple[list[Any], float, AttrQuality]:
        """Value, time of the last change and quality; slots that are empty are filled up."""
        readings = [read(parameter.key) for parameter in self.parameters]
        shown = [_element(p, r) for p, r in zip(self.parameters, readings, strict=True)]
        known = any(reading.value is not None for reading in readings)
        quality = AttrQuality.ATTR_VALID if known else AttrQuality.ATTR_INVALID
        return shown, max(reading.time for reading in readings), quality

    def made(self) -> attribute:
        """The Tango attribute."""
        first = self.parameters[0]

        def read(device: Any) -> Any:
            return device.read_list(self)

        return tango_attribute(
            self.name,
            read,
            dtype=(CmdArgType.DevString if first.kind is Kind.CHOICE else tango_type(first),),
            max_dim_x=len(self.parameters),
            label=f"{group_name(self.group)}s: {first.title}",
            unit=first.unit,
            doc=f"{first.text} One element for each slot. {EMPTY_TEXT}",
        )


def list_attributes(catalogue: Catalogue) -> Iterator[ListAttribute]:
    """What operators watch of the groups whose slots users fill, other than the writers."""
    for group in catalogue.named:
        if group == Group.WRITER:
            continue
        for first in catalogue.of(group, 1):
            if not first.writable and first.level is Level.OPERATOR:
                same = tuple(
                    p for p in catalogue.parameters.values() if (p.group, p.field) == (group, first.field)
                )
                yield ListAttribute(list_name(first), group, same)


def list_name(parameter: Parameter) -> str:
    """``streams.1.rate`` -> ``StreamRates``; counters and booleans have no plural: ``StreamSent``."""
    name = f"{group_name(parameter.group)}{pascal(parameter.field)}"
    if parameter.counter or parameter.kind is Kind.BOOL or name.endswith(("s", "ed")):
        return name
    return f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}s"


def _element(parameter: Parameter, reading: Reading) -> Any:
    value = reading.value
    if value is None:
        if parameter.kind is Kind.FLOAT:
            return math.nan
        return "" if parameter.kind is Kind.CHOICE else placeholder(parameter)
    return text_to_tango(value) if isinstance(value, str) else value
