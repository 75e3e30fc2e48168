"""One parameter as one device shows it: names and facts are looked up once, a value is made once a change.

With twenty clients that poll, and events beside them, this is what the server does most.
"""

from __future__ import annotations

from tango import AttrQuality

from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Format, Value
from repstream_tango.events import GRADUAL
from repstream_tango.names import attribute_name, text_name
from repstream_tango.types import TangoValue, placeholder, quality, to_tango

Reading = tuple[TangoValue, float, AttrQuality]
"""Value, time (Unix seconds) and quality, as an attribute is read and pushed."""


class Shown:
    """A parameter that has this `key` in the slot of the device, `alone` or beside others."""

    def __init__(self, key: str, parameter: Parameter, alone: bool = False) -> None:
        self.key = key
        self.slot = parameter.slot
        self.name = attribute_name(parameter, alone)
        self.text_name = text_name(parameter, alone) if parameter.format is Format.TIME else ""
        self.is_gradual = parameter.kind in GRADUAL
        self.declare(parameter)

    def declare(self, parameter: Parameter) -> None:
        """Take the facts as the device's own engine declares them, with alarm levels of its own."""
        self.parameter = parameter
        self.has_levels = self.is_gradual and parameter.alarm is not None
        self._last: tuple[Value, float, Reading] = (
            None,
            0.0,
            (placeholder(parameter), 0.0, AttrQuality.ATTR_INVALID),
        )

    def reading(self, value: Value, at: float) -> Reading:
        """What is read and pushed of a value of the engine."""
        held, time, made = self._last
        if held is value and time == at:
            return made
        shown = to_tango(self.parameter, value)
        made = (placeholder(self.parameter) if shown is None else shown, at, quality(self.parameter, value))
        self._last = (value, at, made)
        return made

    def text(self, value: Value, at: float) -> Reading:
        """As `reading`, as people read it."""
        return self.parameter.readable(value), at, quality(self.parameter, value)
