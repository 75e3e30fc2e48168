"""The running devices as a panel needs them: what they have, asked of them, with what the catalogue knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any

import tango
from msgspec import structs

from repstream.errors import InvalidValue, Refused
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, build
from repstream.parameters.facts import Format, Kind, Level, Role
from repstream.service.configuring import converted
from repstream.states import ALWAYS_ALLOWED, REPEATER, WRITER, RepeaterState, WriterState, after
from repstream_tango.names import REPEATER_CLASS, WRITER_CLASS, attribute_name, command_names

NODB = re.compile(r"tango://(?P<host>[^/]+)/(?P<device>[^#]+)#dbase=no", re.IGNORECASE)

Complaint = Callable[[str], None]
"""Takes what a device refused, as a sentence for people."""


class NoPanel(Exception):
    """A device that this panel cannot show, with what to do."""


@dataclass(frozen=True)
class Reading:
    """What an attribute holds now; `value` is None where it has no value."""

    value: Any = None
    quality: Any = tango.AttrQuality.ATTR_INVALID


@dataclass(frozen=True)
class Shown:
    """An attribute, as its device declares it, and the parameter behind it."""

    name: str
    label: str
    unit: str
    format: str
    text: str
    writable: bool
    expert: bool
    choices: tuple[str, ...]
    parameter: Parameter

    @property
    def title(self) -> str:
        """The label without the group in front of it, with its unit."""
        grouped = self.parameter.group not in (Group.ENGINE, Group.WRITER)
        title = self.label.partition(": ")[2] if grouped else self.label
        plain = self.unit.lower() in title.lower() or self.parameter.format is Format.TIME
        return title if plain else f"{title} [{self.unit}]"

    def readable(self, reading: Reading) -> str:
        """A value as people read it; empty where there is none."""
        value = reading.value
        if value is None:
            return ""
        if self.choices:
            return self.choices[int(value)]
        if isinstance(value, bool):
            return "yes" if value else "no"
        if self.parameter.format is Format.TIME:
            return self.parameter.readable(value)[:19] if value else ""
        return f"{value:,}" if isinstance(value, int) and self.parameter.counter else self.format % value


class Device:
    """One Tango device: its attributes and commands, and the only way to read, write and command it.

    `slot` is that of the writer it shows, 0 for the repeater.
    """

    def __init__(self, name: str, catalogue: Catalogue, slot: int) -> None:
        self.name = name
        self.slot = slot
        self.proxy = tango.DeviceProxy(name)
        declared = {info.name: info for info in self.proxy.attribute_list_query_ex()}
        self._shown: dict[str, Shown] = {}
        for parameter in _parameters(catalogue, slot):
            info = declared.get(attribute_name(parameter))
            if info is not None:
                self._shown[parameter.key] = _shown(info, parameter)
        there = {info.cmd_name for info in self.proxy.command_list_query()}
        self.commands = tuple(c for c in _commands(catalogue, slot) if command_names(c)[0] in there)

    @property
    def all(self) -> tuple[Shown, ...]:
        """Every attribute that a parameter is behind, in the order of declaration."""
        return tuple(self._shown.values())

    def of(self, group: str, slot: int = 0) -> tuple[Shown, ...]:
        """The attributes of a group (and slot), in the order of declaration."""
        return tuple(
            s for s in self._shown.values() if s.parameter.group == group and s.parameter.slot == slot
        )

    def slots(self, group: str) -> tuple[int, ...]:
        """The slots of a group that the device shows."""
        return tuple(sorted({s.parameter.slot for s in self._shown.values() if s.parameter.group == group}))

    def with_role(self, role: Role, group: str, slot: int = 0) -> Shown | None:
        """The attribute with a role, where the device has it."""
        return next((s for s in self.of(group, slot) if s.parameter.role is role), None)

    def model(self, attribute: str = "") -> str:
        """The name of the device, or of its attribute, as Taurus wants it."""
        found = NODB.fullmatch(self.name)
        name = f"tango-nodb://{found['host']}/{found['device']}" if found else f"tango:{self.name}"
        return f"{name}/{attribute}" if attribute else name

    def read(self, shown: Shown) -> Reading:
        """The value now; none where it cannot be read."""
        try:
            return reading(self.proxy.read_attribute(shown.name))
        except tango.DevFailed:
            return Reading()

    def write(self, shown: Shown, value: Any, complain: Complaint) -> bool:
        """Write a value; False, and a complaint, where it is refused."""

        def put_down(text: str) -> None:
            complain(f"{shown.label}: {_beyond(shown, value, self.read(shown)) or text}")

        return self._do(lambda: self.proxy.write_attribute(shown.name, value), put_down)

    def execute(self, command: Command, argument: Any, complain: Complaint) -> bool:
        """Give a command; False, and a complaint, where it is refused."""
        names = command_names(command)
        given = (names[0],) if argument is None else (names[-1], argument)
        return self._do(
            lambda: self.proxy.command_inout(*given), lambda text: complain(f"{command.title}: {text}")
        )

    @staticmethod
    def _do(call: Callable[[], object], complain: Complaint) -> bool:
        try:
            call()
        except tango.DevFailed as failed:
            complain(failed.args[0].desc)
            return False
        except (TypeError, OverflowError) as error:  # refused by pytango already
            complain(str(error))
            return False
        return True


def reading(attribute: Any) -> Reading:
    """What tango hands out for an attribute, reduced to what is shown."""
    if attribute.quality == tango.AttrQuality.ATTR_INVALID:
        return Reading()
    return Reading(attribute.value, attribute.quality)


def _beyond(shown: Shown, value: Any, held: Reading) -> str:
    """The engine's reason where a number is beyond its limits; empty where it is not.

    Tango refuses it before the engine is asked, and does not say what the limits are.
    """
    if shown.parameter.kind not in (Kind.INT, Kind.FLOAT):
        return ""
    try:
        converted(shown.parameter, shown.label, value, held.value)
    except InvalidValue as refused:
        return refused.reason
    return ""


def refusal(command: Command, state: str) -> str:
    """Why `command` is not allowed in `state`; empty where it is."""
    if command.name in ALWAYS_ALLOWED:
        return ""
    try:
        if command.group == Group.WRITER:
            after(WRITER, WriterState(state), command.name, command.key)
        elif command.group == Group.ENGINE:
            after(REPEATER, RepeaterState(state), command.name, command.key)
    except Refused as refused:
        return f"{command.title}: {refused.reason}"
    except (KeyError, ValueError):
        return f"{command.title}: the engine cannot be reached"
    return ""


def attach(name: str) -> tuple[Device, tuple[Device, ...]]:
    """The repeater `name` and the writers of the same server, in the order of their slots.

    Raises `NoPanel` where there is no such device.
    """
    try:
        proxy = tango.DeviceProxy(name)
        server = tango.DeviceProxy(proxy.adm_name())
        found = [entry.partition("::")[::2] for entry in server.QueryDevice()]
    except tango.DevFailed as failed:
        raise NoPanel(f"{name} cannot be reached: {failed.args[0].desc.strip()}") from failed
    tango_class = proxy.info().dev_class
    if tango_class != REPEATER_CLASS:
        raise NoPanel(
            f"{name} is a device of the class {tango_class}; name the {REPEATER_CLASS} of its server,"
            " the panel finds the writers"
        )
    nodb = NODB.fullmatch(name)
    trl = (lambda device: f"tango://{nodb['host']}/{device}#dbase=no") if nodb else str
    writers = [device for kind, device in found if kind == WRITER_CLASS]
    catalogue = catalogue_of(set(proxy.get_attribute_list()))
    return Device(name, catalogue, 0), tuple(
        Device(trl(device), catalogue, slot) for slot, device in enumerate(sorted(writers, key=_member), 1)
    )


def catalogue_of(names: set[str]) -> Catalogue:
    """The catalogue whose slots are those that a repeater has attributes for."""
    usual = build()
    slots = {}
    for group in usual.groups.values():
        if group.slots and group.name != Group.WRITER:
            first = next(usual.of(group.name, 1))
            there = (attribute_name(structs.replace(first, slot=slot)) in names for slot in count(1))
            slots[group.name] = sum(takewhile(bool, there))
    return build(slots=slots)


def _member(device: str) -> tuple[int, str]:
    number = re.search(r"(\d+)$", device)
    return (int(number[1]) if number else 0, device)


def _parameters(catalogue: Catalogue, slot: int) -> Iterator[Parameter]:
    for group, of in catalogue.owners:
        if (group, of) == (Group.WRITER, 1) if slot else group != Group.WRITER:
            yield from catalogue.of(group, of)


def _commands(catalogue: Catalogue, slot: int) -> Iterator[Command]:
    for group, of in catalogue.owners:
        if (group, of) == (Group.WRITER, 1) if slot else group != Group.WRITER:
            yield from catalogue.commands_of(group, of)


def _shown(info: Any, parameter: Parameter) -> Shown:
    return Shown(
        name=info.name,
        label=info.label,
        unit=info.unit,
        format=info.format,
        text=info.description,
        writable=info.writable != tango.AttrWriteType.READ,
        expert=parameter.level is Level.EXPERT,
        choices=tuple(info.enum_labels),
        parameter=parameter,
    )
