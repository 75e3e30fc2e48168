"""Names of PVs, made by one rule from the keys of the catalogue.

``engine.state`` is ``State``, ``source.address`` ``Src:Address``, ``streams.1.every_nth``
``Strm1:EveryNth``, ``writers.2.num_images`` ``Wr2:NumImages``, each behind the prefix of the IOC.
"""

from __future__ import annotations

from collections.abc import Mapping

from repstream.parameters.catalogue import Command, Group, Parameter

LONGEST = 60
"""Characters of a PV name (EPICS base: PVNAME_STRINGSZ less the NUL)."""

ENGINE_MACRO = "$(ENGINE)"
"""Stands for the engine's name in a prefix; needed when one IOC serves several."""

_HEADS: Mapping[str, str] = {
    Group.ENGINE: "",
    Group.SOURCE: "Src:",
    Group.STREAM: "Strm{}:",
    Group.WRITER: "Wr{}:",
}
"""What names begin with; those of a group that is not here begin with the group (``Pictures1:``)."""


def head(group: str, slot: int = 0) -> str:
    """What the names of a group begin with, behind the prefix."""
    return _HEADS.get(group, f"{pascal(group)}{slot or ''}:").format(slot)


def setpoint(item: Parameter | Command) -> str:
    """The PV that is written: a parameter's setpoint, or a command's button."""
    return head(item.group, item.slot) + pascal(item.field if isinstance(item, Parameter) else item.name)


def readback(parameter: Parameter) -> str:
    """The PV that holds the value in force."""
    return f"{setpoint(parameter)}_RBV"


def text_of(parameter: Parameter) -> str:
    """The text PV beside a number: a time for people, or what a double cannot hold exactly."""
    return f"{setpoint(parameter)}Text_RBV"


def argument(command: Command) -> str:
    """The PV that holds what the next command is given."""
    return f"{setpoint(command)}Arg"


def prefix_of(prefix: str, engine: str) -> str:
    """The prefix of one engine's PVs."""
    return prefix.replace(ENGINE_MACRO, engine)


def ioc_prefix(prefix: str) -> str:
    """The prefix of the PVs of the IOC itself: ``IOC`` in the place of an engine, or behind everything."""
    return prefix.replace(ENGINE_MACRO, "IOC") if ENGINE_MACRO in prefix else f"{prefix}IOC:"


def check(name: str) -> str:
    """`name`, if Channel Access can carry it; raises `ValueError`."""
    if len(name) > LONGEST:
        raise ValueError(
            f"PV name {name} has {len(name)} characters, at most {LONGEST} are possible; use a shorter prefix"
        )
    if not name.isascii() or not name.isprintable() or " " in name or "." in name:
        raise ValueError(f"PV name {name!r} must be of printable ASCII characters without blank and dot")
    return name


def pascal(field: str) -> str:
    """A field as it stands in names: ``NumImages``."""
    return "".join(part.capitalize() for part in field.split("_"))
