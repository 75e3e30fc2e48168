"""What an engine has, for those who make panels and devices of it: streams, writers, pictures, by rule.

Of each it lists the name, the state and the texts and choices that operators set, such as addresses and
formats. Nothing in it changes with every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from repstream.parameters.catalogue import Catalogue, Group, Parameter
from repstream.parameters.facts import Kind, Level, Role, Value

Places = Callable[[str, int], Mapping[str, str]]
"""Where a front end has a group and slot, as fields of the entry."""


def keys(catalogue: Catalogue) -> tuple[str, ...]:
    """The parameters that a directory is made of."""
    return tuple(p.key for owner in catalogue.owners for p in _listed(catalogue.of(*owner)))


def directory(catalogue: Catalogue, values: Mapping[str, Value], places: Places) -> dict[str, Any]:
    """The entry of one engine: its own fields, then a field for each group.

    A group with slots is a list of its filled slots; where users name them, empty ones are left out.
    """
    entry: dict[str, Any] = {}
    for group in catalogue.groups.values():
        if group.name == Group.ENGINE:
            entry |= _entry(catalogue, values, group.name, 0, places)
        elif not group.slots:
            entry[group.name] = _entry(catalogue, values, group.name, 0, places)
        else:
            entry[group.name] = [
                {"slot": slot, **_entry(catalogue, values, group.name, slot, places)}
                for slot in catalogue.slots(group.name)
                if not group.named or values[catalogue.key(Role.NAME, group.name, slot)] is not None
            ]
    return entry


def _entry(
    catalogue: Catalogue, values: Mapping[str, Value], group: str, slot: int, places: Places
) -> dict[str, Any]:
    shown = {p.field: values[p.key] for p in _listed(catalogue.of(group, slot))}
    return {**shown, **places(group, slot)}


def _listed(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Name and state first."""
    first = {Role.NAME: 0, Role.STATE: 1}
    shown = [
        p
        for p in parameters
        if p.role in first
        or (
            p.writable and p.role is None and p.level is Level.OPERATOR and p.kind in (Kind.TEXT, Kind.CHOICE)
        )
    ]
    return sorted(shown, key=lambda p: first.get(p.role, 2) if p.role else 2)
