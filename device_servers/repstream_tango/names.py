"""Tango names, made by rule from catalogue keys; nobody types one by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Format, Kind

SERVER = "repstream-tango"
"""Name of the server in a Tango database: ``repstream-tango/<instance>``."""

REPEATER_CLASS = "RepStream"
WRITER_CLASS = "HDF5Writer"
STREAM_CLASS = "LiveStream"
PICTURE_CLASS = "LivePicture"
LIMA_CLASS = "LimaCCDs"

SLOT_CLASSES: Mapping[str, str] = {
    Group.WRITER: WRITER_CLASS,
    Group.STREAM: STREAM_CLASS,
    Group.PICTURE: PICTURE_CLASS,
}
"""The class of the devices that show one slot of a group, where there is one."""

LONGEST = 255
"""Characters that Tango's database keeps of an attribute's or command's name (``varchar(255)``)."""

OWN_NAMES = frozenset({"State", "Status", "Init"})
"""What every Tango device has by itself; names of ours that meet one get their group in front."""

PROPERTY_NAMES = frozenset({"Engine", "Slot"})
"""The device properties; they live in the same Python class as attributes and commands."""

OWN_COMMANDS = frozenset({"WaitFinished"})
"""Commands that are of Tango alone."""

_OWNER: Mapping[str, str] = {
    Group.ENGINE: "Engine",
    Group.SOURCE: "Source",
    Group.STREAM: "Stream",
    Group.WRITER: "Writer",
}
"""What stands for a group in names; a group that is not here goes by its own name (``Pictures``)."""

_UNPREFIXED = frozenset({Group.ENGINE, Group.WRITER})
"""The groups that are what their device is about wherever they are shown: their names carry no group."""


def pascal(field: str) -> str:
    """``num_images`` -> ``NumImages``."""
    return "".join(word[:1].upper() + word[1:] for word in field.split("_"))


def attribute_name(parameter: Parameter, alone: bool = False) -> str:
    """Name of the attribute that shows a parameter.

    ``engine.uptime`` -> ``Uptime``, ``source.mode`` -> ``SourceMode``, ``streams.1.every_nth`` ->
    ``Stream1EveryNth``, ``writers.2.num_images`` -> ``NumImages`` (on the second writer's device). On a
    device that shows one slot `alone`, ``streams.1.every_nth`` -> ``EveryNth``.
    """
    group, name = group_name(parameter.group), pascal(parameter.field)
    if alone or parameter.group in _UNPREFIXED:
        return group + name if name in OWN_NAMES else name
    return f"{group}{parameter.slot or ''}{name}"


def group_name(group: str) -> str:
    """What stands for a group in names and labels."""
    return _OWNER.get(group, pascal(group))


def text_name(parameter: Parameter, alone: bool = False) -> str:
    """The attribute beside a time that shows it as people read it: ``StartTime`` -> ``StartTimeText``."""
    return f"{attribute_name(parameter, alone)}Text"


def label(parameter: Parameter, name: str = "", alone: bool = False) -> str:
    """The title, unique on the device: with source or stream in front where the device shows several.

    `name` is what the slot's stream is called, where that is known. Also where Tango's own State and Status
    have that label. `alone` as in `attribute_name`.
    """
    group = group_name(parameter.group)
    if alone or parameter.group in _UNPREFIXED:
        return f"{group}: {parameter.title}" if pascal(parameter.field) in OWN_NAMES else parameter.title
    own = f"{group} {parameter.slot}" if parameter.slot else group
    return f"{name or own}: {parameter.title}"


def text_label(parameter: Parameter, name: str = "", alone: bool = False) -> str:
    """As `label`, of the attribute beside a time."""
    return f"{label(parameter, name, alone)} (text)"


def command_names(command: Command) -> tuple[str, ...]:
    """The Tango commands of one command: a second one where a number may be given or left out.

    A Tango command has a fixed argument, so ``start`` is `Start` without one and `StartFrames`
    with a number (numbers that commands take are frames). A text is left out by being empty. Commands of
    other groups than those that their device is about carry the group: ``CameraTrigger``.
    """
    name = pascal(command.name)
    if command.group not in _UNPREFIXED:
        name = f"{group_name(command.group)}{command.slot or ''}{name}"
    argument = command.argument
    if argument is not None and argument.optional and argument.kind is not Kind.TEXT:
        return name, f"{name}Frames"
    return (name,)


def check(catalogue: Catalogue) -> None:
    """Refuse a catalogue whose names meet each other, or are too long for Tango; raises `ValueError`.

    Tango compares names without case. One device shows all groups but the writers, others one slot each.
    """
    slots = [owner for owner in catalogue.owners if owner[1]]
    repeater = [owner for owner in catalogue.owners if owner[0] != Group.WRITER]
    for owners, alone in ((repeater, False), *(([slot], True) for slot in slots)):
        names = chain.from_iterable(_names_of(catalogue, group, slot, alone) for group, slot in owners)
        _refuse_clashes(chain(((name, "Tango") for name in OWN_NAMES | PROPERTY_NAMES | OWN_COMMANDS), names))


def _names_of(catalogue: Catalogue, group: str, slot: int, alone: bool) -> Iterable[tuple[str, str]]:
    for parameter in catalogue.of(group, slot):
        yield attribute_name(parameter, alone), parameter.key
        if parameter.format is Format.TIME:
            yield text_name(parameter, alone), f"{parameter.key} as text"
    for command in catalogue.commands_of(group, slot):
        for name in command_names(command):
            yield name, f"command {command.key}"


def _refuse_clashes(names: Iterable[tuple[str, str]]) -> None:
    taken: dict[str, str] = {}
    for name, key in names:
        if len(name) > LONGEST:
            raise ValueError(f"{key}: the Tango name {name} is longer than {LONGEST} characters")
        other = taken.setdefault(name.lower(), key)
        if other != key:
            raise ValueError(f"{key} and {other} would both be {name} in Tango")
