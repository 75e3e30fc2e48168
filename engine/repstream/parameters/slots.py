"""Slots: on creation a stream or writer takes the lowest free one and keeps it until removed."""

from __future__ import annotations

from collections.abc import Mapping

from repstream.errors import Refused
from repstream.parameters.catalogue import Group
from repstream.parameters.configuration import Configuration


def assign(configuration: Configuration, limits: Mapping[Group, int]) -> Configuration:
    """`configuration` with a slot for every stream and writer, and none for anything else.

    Slots that it already names are kept. Raises `Refused` when there are more streams or writers
    than slots, or when two claim one slot.
    """
    slots: dict[str, int] = {}
    for group in (Group.STREAM, Group.WRITER):
        names = list(names_in(configuration, group))
        if len(names) > limits[group]:
            raise Refused(group.value, f"{len(names)} of them, but there are only {limits[group]} slots")
        wanted = {
            n: configuration.slots[f"{group.value}.{n}"]
            for n in names
            if f"{group.value}.{n}" in configuration.slots
        }
        if len(set(wanted.values())) < len(wanted) or any(
            not 1 <= s <= limits[group] for s in wanted.values()
        ):
            raise Refused(
                f"slots of {group.value}",
                f"must be different and between 1 and {limits[group]}, not {wanted}",
            )
        free = (s for s in range(1, limits[group] + 1) if s not in wanted.values())
        for name in names:
            slots[f"{group.value}.{name}"] = wanted[name] if name in wanted else next(free)
    return configuration.model_copy(update={"slots": slots})


def names_in(configuration: Configuration, group: Group) -> Mapping[str, object]:
    """The streams or writers of a configuration, by name."""
    return configuration.streams if group is Group.STREAM else configuration.writers


def name_at(configuration: Configuration, group: Group, slot: int) -> str | None:
    """Name of what occupies a slot; `None` for an empty one."""
    head = f"{group.value}."
    return next(
        (k.removeprefix(head) for k, s in configuration.slots.items() if k.startswith(head) and s == slot),
        None,
    )


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
    name = name_at(configuration, Group(parts[0]), int(parts[1]))
    return key if name is None else f"{parts[0]}.{name}.{parts[2]}"
