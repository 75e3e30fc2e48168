"""Devices made from the catalogue of a running engine: all of it, or one stream, writer or picture."""

from __future__ import annotations

from typing import Any

from ophyd_async.core import Command as CommandDevice
from ophyd_async.core import Device, SignalR, SignalRW, TriggerableCommand

from repstream.ophyd.backends import EngineCommandBackend, ParameterBackend
from repstream.ophyd.link import Link
from repstream.parameters.catalogue import Group, key_of

RESERVED = frozenset({*dir(Device), "pause", "read", "resume", "set", "stage", "stop", "trigger", "unstage"})
"""Names that bluesky or ophyd-async take for something else; they get an underscore (``stop_``)."""


def attribute(name: str) -> str:
    """The attribute of a device for a parameter, a command, a stream or a writer."""
    return f"{name}_" if name in RESERVED else name


class Section(Device):
    """What belongs together, such as one writer: a signal for each parameter, commands as commands.

    `group` is ``engine``, ``source``, ``streams``, ``writers`` or ``pictures``; `member` is the name of a
    stream or writer, or the number of a slot. A write that is refused fails its status with the reason.
    """

    def __init__(self, link: Link, group: str, member: str = "", name: str = "") -> None:
        catalogue = link.catalogue
        slot = 1 if member else 0  # the slots of a group are alike
        for parameter in catalogue.of(group, slot):
            backend = ParameterBackend(link, parameter, self._key(group, member, parameter.field))
            signal = SignalRW(backend) if parameter.writable else SignalR(backend)
            setattr(self, attribute(parameter.field), signal)
        for command in catalogue.commands_of(group, slot):
            action = EngineCommandBackend(link, command, self._key(group, member, command.name))
            made = TriggerableCommand if command.argument is None else CommandDevice
            setattr(self, attribute(command.name), made(action, timeout=None))
        super().__init__(name=name)

    @staticmethod
    def _key(group: str, member: str, field: str) -> str:
        return key_of(group, member, field) if member else f"{group}.{field}"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__} {self.name!r} has no {name!r}")


class Members(Device):
    """The streams or writers of an engine by name, pictures by number: ``writers["main"]``."""

    def __init__(self, link: Link, group: str) -> None:
        catalogue = link.catalogue
        for slot in catalogue.slots(group):
            name: object = str(slot)
            if group in catalogue.named:
                name = link.read(key_of(group, slot, "name")).value
            if name is not None:
                setattr(self, attribute(str(name)), Section(link, group, str(name)))
        super().__init__()

    def __getitem__(self, name: str | int) -> Section:
        for child, section in self.children():
            if child == attribute(str(name)) and isinstance(section, Section):
                return section
        known = ", ".join(child for child, _ in self.children()) or "none"
        raise KeyError(f"there is no {name!r} in {self.name}; there are: {known}")


class EngineDevice(Device):
    """All of an engine: ``engine``, ``source``, ``streams``, ``writers``, ``pictures``.

    The streams and writers are those that it has when the device is made.
    """

    def __init__(self, link: Link, name: str = "") -> None:
        self.engine = Section(link, Group.ENGINE)
        self.source = Section(link, Group.SOURCE)
        self.streams = Members(link, Group.STREAM)
        self.writers = Members(link, Group.WRITER)
        self.pictures = Members(link, Group.PICTURE)
        super().__init__(name=name)
