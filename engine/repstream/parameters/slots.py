"""Slots: on creation a stream or writer takes the lowest free one and keeps it until removed."""

from __future__ import annotations

from collections.abc import Iterable

from repstream.errors import Refused, UnknownKey, unknown_key
from repstream.parameters.catalogue import Catalogue
from repstream.parameters.configuration import Configuration


def assign(configuration: Configuration, catalogue: Catalogue) -> Configuration:
    """`configuration` with a slot for everything that users name, and none for anything else.

    Slots that it already names are kept. Raises `Refused` when there are more streams or writers
    than slots, when two claim one slot, or for settings of a group that the catalogue lacks.
    """
    _check_groups(configuration, catalogue)
    slots: dict[str, int] = {}
    for group in catalogue.named:
        names, numbers = list(configuration.sections(group)), catalogue.slots(group)
        if len(names) > len(numbers):
            raise Refused(group, f"{len(names)} are too many: there are {len(numbers)} slots")
        wanted = {
            n: configuration.slots[f"{group}.{n}"] for n in names if f"{group}.{n}" in configuration.slots
        }
        if len(set(wanted.values())) < len(wanted) or any(s not in numbers for s in wanted.values()):
            raise Refused(
                f"slots of {group}", f"must be different and between 1 and {len(numbers)}, not {wanted}"
            )
        free = (s for s in numbers if s not in wanted.values())
        for name in names:
            slots[f"{group}.{name}"] = wanted[name] if name in wanted else next(free)
    return configuration.model_copy(update={"slots": slots})


def _check_groups(configuration: Configuration, catalogue: Catalogue) -> None:
    """Refuse settings of a group that this kind of engine does not have, which nothing would heed."""
    empty = type(configuration)()
    for group in type(configuration).model_fields:
        if group not in catalogue.groups and configuration.sections(group) != empty.sections(group):
            raise Refused(group, f"this engine has none, only {', '.join(catalogue.groups)}")


def name_at(configuration: Configuration, group: str, slot: int) -> str | None:
    """Name of what occupies a slot; `None` for an empty one.

    What is in a numbered slot goes by the number, what has no slot by the empty name.
    """
    head = f"{group}."
    for key, taken in configuration.slots.items():
        if key.startswith(head) and taken == slot:
            return key.removeprefix(head)
    number = str(slot or "")
    return number if number in configuration.sections(group) else None


def no_such(configuration: Configuration, given: str, what: str, keys: Iterable[str]) -> UnknownKey:
    """The error for a key that is none of `keys`, with names where slots have them; see `unknown_key`."""
    return unknown_key(key_with_name(configuration, given), what, _shown(configuration, keys))


def _shown(configuration: Configuration, keys: Iterable[str]) -> list[str]:
    """Keys as people use them: with names, and without those of empty slots."""
    shown = []
    for key in keys:
        group, slot, _ = (*key.split("."), "", "")[:3]
        name = name_at(configuration, group, int(slot)) if slot.isdigit() else None
        if name is not None or not slot.isdigit():
            shown.append(key_with_name(configuration, key))
    return shown


def key_with_slot(configuration: Configuration, key: str) -> str:
    """``streams.live.every_nth`` as ``streams.1.every_nth``; any other key as it is."""
    parts = key.split(".")
    slot = configuration.slots.get(".".join(parts[:2])) if len(parts) == 3 else None
    return key if slot is None else f"{parts[0]}.{slot}.{parts[2]}"


def key_with_name(configuration: Configuration, key: str) -> str:
    """``streams.1.every_nth`` as ``streams.live.every_nth``; any other key as it is."""
    parts = key.split(".")
    if len(parts) != 3 or not parts[1].isdigit():
        return key
    name = name_at(configuration, parts[0], int(parts[1]))
    return key if name is None else f"{parts[0]}.{name}.{parts[2]}"
