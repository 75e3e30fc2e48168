"""The catalogue: every parameter and command as one flat frozen record, all facts resolved.

It is the only thing that front ends see besides the `Engine` protocol. It is complete and never
changes while an engine runs: streams and writers have a fixed number of slots, and what is in an
empty slot has no value. Keys carry the slot (``streams.1.every_nth``); wherever an engine takes a
key it takes the name in its place as well (``streams.live.every_nth``).
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import msgspec
from pydantic.fields import FieldInfo

from repstream.parameters.commands import ENGINE_COMMANDS, WRITER_COMMANDS, Argument, CommandDeclaration
from repstream.parameters.facts import Access, Alarm, Counter, Kind, LongText, Section, Unit, Value
from repstream.parameters.source import SourceConfig
from repstream.parameters.status import EngineStatus, PreviousStatus, SourceStatus, StreamStatus, WriterStatus
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig

TEXT_LENGTH = 255


class Group(enum.Enum):
    """What a parameter belongs to."""

    ENGINE = "engine"
    SOURCE = "source"
    STREAM = "streams"
    WRITER = "writers"


class Parameter(msgspec.Struct, frozen=True):
    """One parameter, every fact resolved.

    `key` is ``group.field`` or ``group.slot.field``; `slot` counts from 1 and is 0 where there are
    none. `minimum` and `maximum` are inclusive and None where a number has no limit; `length` is
    the most characters a text may have. `unit` is empty where there is none. `counter`: a number
    that only rises until it begins anew.
    """

    key: str
    group: Group
    slot: int
    field: str
    kind: Kind
    access: Access
    text: str
    default: Value = None
    unit: str = ""
    minimum: float | int | None = None
    maximum: float | int | None = None
    alarm: Alarm | None = None
    choices: tuple[str, ...] = ()
    length: int = 0
    counter: bool = False

    @property
    def label(self) -> str:
        """The field's name for people: ``Every nth``."""
        return self.field.replace("_", " ").capitalize()

    @property
    def writable(self) -> bool:
        return self.access is not Access.READ_ONLY


class Command(msgspec.Struct, frozen=True):
    """One command; `key` is ``engine.start`` or ``writers.1.start``."""

    key: str
    group: Group
    slot: int
    name: str
    text: str
    argument: Argument | None = None
    waits: bool = False


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """All parameters and commands of an engine, by key, in the order of their declaration."""

    parameters: dict[str, Parameter]
    commands: dict[str, Command]
    max_streams: int
    max_writers: int

    def of(self, group: Group, slot: int = 0) -> Iterator[Parameter]:
        """The parameters of a group (and slot)."""
        return (p for p in self.parameters.values() if p.group is group and p.slot == slot)

    def commands_of(self, group: Group, slot: int = 0) -> Iterator[Command]:
        """The commands of a group (and slot)."""
        return (c for c in self.commands.values() if c.group is group and c.slot == slot)

    def slots(self, group: Group) -> range:
        """The slots of a group: empty for the groups that have none."""
        return range(1, {Group.STREAM: self.max_streams, Group.WRITER: self.max_writers}.get(group, 0) + 1)

    @cached_property
    def groups(self) -> tuple[tuple[Group, int], ...]:
        """Every (group, slot), slot 0 where there are none."""
        return tuple(
            (group, slot)
            for group in Group
            for slot in ((0,) if group in (Group.ENGINE, Group.SOURCE) else self.slots(group))
        )


SECTIONS: Mapping[Group, tuple[type[Section], ...]] = {
    Group.ENGINE: (EngineStatus,),
    Group.SOURCE: (SourceConfig, SourceStatus),
    Group.STREAM: (StreamConfig, StreamStatus),
    Group.WRITER: (WriterConfig, WriterStatus, PreviousStatus),
}
"""The declarations of each group; no field name may stand in two of a group."""


def build(max_streams: int = 8, max_writers: int = 4) -> Catalogue:
    """The catalogue of an engine with so many slots."""
    parameters: dict[str, Parameter] = {}
    commands: dict[str, Command] = {}
    empty = Catalogue({}, {}, max_streams, max_writers)
    for group, slot in empty.groups:
        for record in _records(group, slot):
            if record.key in parameters:
                raise TypeError(f"{record.key} is declared twice")
            parameters[record.key] = record
        for declared in _declared_commands(group):
            key = key_of(group, slot, declared.name)
            commands[key] = Command(
                key, group, slot, declared.name, declared.text, declared.argument, declared.waits
            )
    return Catalogue(parameters, commands, max_streams, max_writers)


def key_of(group: Group, slot: int, field: str) -> str:
    """The key of a field or command."""
    return f"{group.value}.{slot}.{field}" if slot else f"{group.value}.{field}"


def _declared_commands(group: Group) -> Iterable[CommandDeclaration]:
    return {Group.ENGINE: ENGINE_COMMANDS, Group.WRITER: WRITER_COMMANDS}.get(group, ())


def _records(group: Group, slot: int) -> Iterator[Parameter]:
    for section in SECTIONS[group]:
        for name, field in section.model_fields.items():
            yield _record(group, slot, name, field)


def _record(group: Group, slot: int, name: str, field: FieldInfo) -> Parameter:
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
        text=field.description or "",
        default=default.value if isinstance(default, enum.Enum) else default,
        unit=_first(facts, Unit, Unit("")).name,
        minimum=low,
        maximum=high,
        alarm=_first(facts, Alarm, None),
        choices=choices,
        length=_length(facts) if kind is Kind.TEXT else 0,
        counter=_first(facts, Counter, None) is not None,
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
