"""Keys as HTTP shows them: with the name of a stream or writer where the catalogue has its slot.

``streams.1.every_nth`` is shown as ``streams.live.every_nth`` while ``live`` occupies slot 1; an
empty slot keeps its number. Both forms are taken. A name begins with a letter, so that it can never
be mistaken for a slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repstream.errors import UnknownKey, unknown_key
from repstream.parameters.catalogue import Catalogue, Command, Parameter
from repstream.parameters.facts import Role, Value


class Names:
    """What occupies the slots at one moment; immutable."""

    def __init__(self, catalogue: Catalogue, values: Mapping[str, Value]) -> None:
        self._catalogue = catalogue
        self._shown: dict[str, str] = {}
        for group, slot in catalogue.owners:
            if group in catalogue.named and (name := values.get(catalogue.key(Role.NAME, group, slot))):
                self._shown[f"{group}.{slot}"] = f"{group}.{name}"
        self._slots = {shown: head for head, shown in self._shown.items()}

    @property
    def slots(self) -> Mapping[str, str]:
        """The slot of each name: ``streams.live`` -> ``streams.1``."""
        return self._slots

    def occupied(self, group: str) -> dict[str, int]:
        """The slot number of each name in a group; numbered slots go by their numbers."""
        if group not in self._catalogue.named:
            return {str(slot): slot for slot in self._catalogue.slots(group)}
        heads = ((shown.split("."), head.split(".")) for shown, head in self._slots.items())
        return {shown[1]: int(head[1]) for shown, head in heads if head[0] == group}

    def shown(self, key: str) -> str:
        """A key of the catalogue as it is shown."""
        return _replaced(key, self._shown)

    def slot_key(self, key: str) -> str:
        """A key in either form as the catalogue has it; one that is unknown stays as it is."""
        return _replaced(key, self._slots)

    def parameter(self, key: str) -> Parameter:
        """The parameter with this key, in either form; raises `UnknownKey`."""
        found = self._catalogue.parameters.get(self.slot_key(key))
        if found is None:
            raise self._unknown(key, "parameter", self._catalogue.parameters)
        return found

    def command(self, key: str) -> Command:
        """The command with this key, in either form; raises `UnknownKey`."""
        found = self._catalogue.commands.get(self.slot_key(key))
        if found is None:
            raise self._unknown(key, "command", self._catalogue.commands)
        return found

    def group(self, name: str) -> tuple[Parameter, ...]:
        """The parameters of ``streams``, ``streams.1`` or ``streams.live``; raises `UnknownKey`."""
        head = self._slots.get(name, name)
        of_it = tuple(p for p in self._catalogue.parameters.values() if p.key.startswith(f"{head}."))
        if not of_it or head in self._catalogue.parameters:
            known = list(self._catalogue.groups) + list(self._slots)
            raise UnknownKey(name, f"there is no such group, only {', '.join(known)}", known)
        return of_it

    def _unknown(self, key: str, what: str, known: Iterable[str]) -> UnknownKey:
        in_use = [self.shown(k) for k in known if k.count(".") == 1 or self.shown(k) != k]
        return unknown_key(key, what, in_use)


def _replaced(key: str, heads: Mapping[str, str]) -> str:
    head, dot, field = key.rpartition(".")
    return f"{heads.get(head, head)}{dot}{field}"
