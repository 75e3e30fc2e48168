"""The catalogue: every parameter and command as one flat frozen record, all facts resolved.

It is the only thing that front ends see besides the `Engine` protocol. It is complete and never
changes while an engine runs: streams and writers have a fixed number of slots, and what is in an
empty slot has no value. Keys carry the slot (``streams.1.every_nth``); wherever an engine takes a
key it takes the name in its place as well (``streams.live.every_nth``).
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import msgspec
from pydantic.fields import FieldInfo

from repstream.parameters.commands import Argument
from repstream.parameters.facts import (
    TITLE_LENGTH,
    Access,
    Alarm,
    Counter,
    Format,
    Kind,
    Level,
    LongText,
    Loss,
    Role,
    Severity,
    Unit,
    Value,
)
from repstream.parameters.groups import REPEATER, Group, GroupDeclaration, Slots

__all__ = ["Catalogue", "Command", "Group", "GroupFacts", "Parameter", "build", "key_of"]

TEXT_LENGTH = 255
NO_SLOTS: Mapping[str, int] = types.MappingProxyType({})


class GroupFacts(msgspec.Struct, frozen=True):
    """A group of parameters and commands.

    `name` begins their keys (``streams``), `singular` names one of it (``stream``). `slots` is their
    number, 0 where there is one of it without slots. `named`: users create, name and remove what is in
    a slot, and the parameter `name` says what it is called; otherwise every slot is always there.
    """

    name: str
    singular: str
    slots: int = 0
    named: bool = False


class Parameter(msgspec.Struct, frozen=True):
    """One parameter, every fact resolved.

    `key` is ``group.field`` or ``group.slot.field``; `slot` counts from 1 and is 0 where there are
    none. `minimum` and `maximum` are inclusive and None where a number has no limit; `length` is
    the most characters a text may have. `unit` is empty where there is none. `counter`: a number
    that only rises until it begins anew; `loss`: one of what was lost and should not have been. `title`
    is the name for people, at most 40 characters and unique in a group, `text` the description.
    """

    key: str
    group: str
    slot: int
    field: str
    kind: Kind
    access: Access
    title: str
    text: str
    default: Value = None
    unit: str = ""
    minimum: float | int | None = None
    maximum: float | int | None = None
    alarm: Alarm | None = None
    choices: tuple[str, ...] = ()
    length: int = 0
    counter: bool = False
    loss: bool = False
    level: Level = Level.OPERATOR
    format: Format = Format.PLAIN
    role: Role | None = None

    @property
    def writable(self) -> bool:
        return self.access is not Access.READ_ONLY

    def severity(self, value: Value) -> Severity:
        """How bad a value is; no value is INVALID."""
        return (self.alarm or Alarm()).severity(value)

    def readable(self, value: Value) -> str:
        """A value as people read it; a time as ``2026-01-31 12:00:00.125+01:00`` (zone of this host)."""
        if self.format is Format.TIME and isinstance(value, int | float):
            return readable_time(value)
        return "" if value is None else str(value)


class Command(msgspec.Struct, frozen=True):
    """One command; `key` is ``engine.start`` or ``writers.1.start``."""

    key: str
    group: str
    slot: int
    name: str
    title: str
    text: str
    argument: Argument | None = None
    waits: bool = False


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """All groups, parameters and commands of an engine, by name and key, in the order of declaration."""

    groups: dict[str, GroupFacts]
    parameters: dict[str, Parameter]
    commands: dict[str, Command]

    def of(self, group: str, slot: int = 0) -> Iterator[Parameter]:
        """The parameters of a group (and slot)."""
        return (p for p in self.parameters.values() if p.group == group and p.slot == slot)

    def fields(self, values: Mapping[str, Value], group: str, slot: int = 0) -> dict[str, Value]:
        """Of `values` by key those of a group (and slot), by field."""
        return {parameter.field: values[parameter.key] for parameter in self.of(group, slot)}

    def commands_of(self, group: str, slot: int = 0) -> Iterator[Command]:
        """The commands of a group (and slot)."""
        return (c for c in self.commands.values() if c.group == group and c.slot == slot)

    def slots(self, group: str) -> range:
        """The slots of a group: empty for one that has none, or is not there."""
        known = self.groups.get(group)
        return range(1, known.slots + 1) if known else range(0)

    def key(self, role: Role, group: str, slot: int = 0) -> str:
        """The key of the parameter that has a role; raises `KeyError` where none has it."""
        return self._roles[role, group, slot]

    @cached_property
    def _roles(self) -> dict[tuple[Role, str, int], str]:
        return {(p.role, p.group, p.slot): p.key for p in self.parameters.values() if p.role is not None}

    @cached_property
    def owners(self) -> tuple[tuple[str, int], ...]:
        """Every (group, slot) that has parameters of its own, slot 0 where there are none."""
        return tuple((group, slot) for group in self.groups for slot in self.slots(group) or (0,))

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The groups whose slots users fill with what they name: streams and writers."""
        return tuple(group.name for group in self.groups.values() if group.named)


def build(groups: Sequence[GroupDeclaration] = REPEATER, slots: Mapping[str, int] = NO_SLOTS) -> Catalogue:
    """The catalogue of an engine that has these groups; `slots` by group, where not the usual number."""
    catalogue = Catalogue({g.name: _group(g, slots) for g in groups}, {}, {})
    declared = {group.name: group for group in groups}
    for owner in catalogue.owners:
        records = list(_records(declared[owner[0]], *owner))
        commands = list(_commands(declared[owner[0]], *owner))
        _check(records)
        _check(commands)
        catalogue.parameters.update({record.key: record for record in records})
        catalogue.commands.update({command.key: command for command in commands})
    return catalogue


def key_of(group: str, slot: int | str, field: str) -> str:
    """The key of a field or command; `slot` may be the name of what is in it."""
    return f"{group}.{slot}.{field}" if slot else f"{group}.{field}"


def readable_time(time: float | None) -> str:
    """A Unix time as people read it, in the zone of this host; empty for none."""
    return datetime.fromtimestamp(time).astimezone().isoformat(" ", "milliseconds") if time else ""


def _check(records: Sequence[Parameter | Command]) -> None:
    """Refuse records of one owner that lack a fact or would be mistaken for each other."""
    keys: set[str] = set()
    titles: dict[str, str] = {}
    for record in records:
        if record.key in keys:
            raise TypeError(f"{record.key} is declared twice")
        keys.add(record.key)
        if not 0 < len(record.title) <= TITLE_LENGTH:
            raise TypeError(f"{record.key} needs a title of 1 to {TITLE_LENGTH} characters: {record.title!r}")
        if not record.text:
            raise TypeError(f"{record.key} needs a description")
        if (other := titles.setdefault(record.title.lower(), record.key)) != record.key:
            raise TypeError(f"{other} and {record.key} have the same title {record.title!r}")
        if isinstance(record, Parameter):
            _check_facts(record)


def _check_facts(record: Parameter) -> None:
    if not record.unit.isascii():
        raise TypeError(
            f"{record.key}: not every control system has the letters of {record.unit!r}; write degC or um"
        )
    alarm = record.alarm or Alarm()
    known = {Kind.BOOL: (False, True), Kind.CHOICE: record.choices}.get(record.kind, ())
    for value in (*alarm.warning_values, *alarm.alarm_values, *alarm.invalid_values):
        if value not in known:
            raise TypeError(f"{record.key} never is {value!r}, so that cannot be an alarm")


def _group(declared: GroupDeclaration, slots: Mapping[str, int]) -> GroupFacts:
    number = slots.get(declared.name, declared.count)
    return GroupFacts(declared.name, declared.singular, number, declared.slots is Slots.NAMED)


def _commands(declared: GroupDeclaration, group: str, slot: int) -> Iterator[Command]:
    for command in declared.commands:
        key = key_of(group, slot, command.name)
        yield Command(
            key, group, slot, command.name, command.title, command.text, command.argument, command.waits
        )


def _records(declared: GroupDeclaration, group: str, slot: int) -> Iterator[Parameter]:
    for name, field in declared.fields():
        record = _record(group, slot, name, field)
        yield msgspec.structs.replace(record, level=Level.EXPERT) if name in declared.experts else record


def _record(group: str, slot: int, name: str, field: FieldInfo) -> Parameter:
    kind, choices = _kind(field.annotation)
    facts = list(_facts(field))
    low, high = _limits(facts)
    default = field.get_default(call_default_factory=True, validated_data={})
    return Parameter(
        key=key_of(group, slot, name),
        group=group,
        slot=slot,
        field=name,
        kind=kind,
        access=_first(facts, Access, Access.READ_ONLY),
        title=field.title or "",
        text=field.description or "",
        default=default.value if isinstance(default, enum.Enum) else default,
        unit=_first(facts, Unit, Unit("")).name,
        minimum=low,
        maximum=high,
        alarm=_first(facts, Alarm, None),
        choices=choices,
        length=_length(facts) if kind is Kind.TEXT else 0,
        counter=_first(facts, Counter, None) is not None,
        loss=_first(facts, Loss, None) is not None,
        level=_first(facts, Level, Level.OPERATOR),
        format=_first(facts, Format, Format.PLAIN),
        role=_first(facts, Role, None),
    )


def _facts(field: FieldInfo) -> Iterator[Any]:
    for fact in field.metadata:
        if isinstance(fact, FieldInfo):
            yield from fact.metadata
        else:
            yield fact


def _first(facts: Iterable[Any], kind: type[Any], otherwise: Any) -> Any:
    return next((fact for fact in facts if isinstance(fact, kind)), otherwise)


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        (inner,) = (a for a in get_args(annotation) if a is not type(None))
        return _kind(inner)
    if origin is Literal:
        return Kind.CHOICE, tuple(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Kind.CHOICE, tuple(member.value for member in annotation)
    if hasattr(annotation, "__metadata__"):
        return _kind(annotation.__origin__)
    return {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.TEXT}[annotation], ()


def _limits(facts: list[Any]) -> tuple[Any, Any]:
    low = next((f.ge for f in facts if isinstance(f, annotated_types.Ge)), None)
    high = next((f.le for f in facts if isinstance(f, annotated_types.Le)), None)
    return low, high


def _length(facts: list[Any]) -> int:
    long = _first(facts, LongText, None)
    if long is not None:
        return int(long.length)
    return next((f.max_length for f in facts if isinstance(f, annotated_types.MaxLen)), TEXT_LENGTH)
