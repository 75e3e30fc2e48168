"""Which events are pushed when: change at once, archive when something changed, alarm with the quality."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from tango import AttrQuality

from repstream.parameters.facts import Kind

IMPLEMENTED: Mapping[str, bool] = MappingProxyType(
    {
        f"{kind}_event_{how}": how == "implemented"
        for kind in ("change", "archive", "alarm")
        for how in ("implemented", "detect")
    }
)
"""For `tango.server.attribute`: we push all three ourselves.

Alarm events must be declared: where they are not, one client that subscribes to them spoils the change
events of that attribute for every client (cppTango 10.3).
"""


GRADUAL = frozenset({Kind.INT, Kind.FLOAT})
"""Kinds of values that may change with every frame."""


class Pushing(Protocol):
    """What pushes: a Tango device."""

    def push_change_event(self, name: str, *what: Any) -> None: ...
    def push_archive_event(self, name: str, *what: Any) -> None: ...
    def push_alarm_event(self, name: str, *what: Any) -> None: ...


class Events:
    """The events of one device; what went out before decides whether archive and alarm have news."""

    def __init__(self, device: Pushing) -> None:
        self._device = device
        self._archived: dict[str, tuple[Any, AttrQuality]] = {}
        self._qualities: dict[str, AttrQuality] = {}

    def push(self, name: str, what: tuple[Any, float, AttrQuality], *, again: bool, gradual: bool) -> None:
        """Push a value with its time (Unix seconds) and quality.

        `again`: in a round of everything, for who missed an event. A `gradual` value (a number) is archived
        in such rounds only, so that a counter does not fill an archive; any value only where it changed.
        """
        value, _, quality = what
        self._device.push_change_event(name, *what)
        if again or self._qualities.get(name) != quality:
            self._qualities[name] = quality
            self._device.push_alarm_event(name, *what)
        if (again or not gradual) and self._archived.get(name) != (value, quality):
            self._archived[name] = (value, quality)
            self._device.push_archive_event(name, *what)

    def push_stored(self, name: str, value: Any, again: bool) -> None:
        """Push what the device itself has stored, State or Status, where it changed; `value` is that."""
        changed = self._archived.get(name) != (value, AttrQuality.ATTR_VALID)
        if again or changed:
            self._device.push_change_event(name)
            self._device.push_alarm_event(name)
        if changed:
            self._archived[name] = (value, AttrQuality.ATTR_VALID)
            self._device.push_archive_event(name)
