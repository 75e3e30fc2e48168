"""The catalogue and the engine's values as JSON answers; made by rule, no key is typed here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from repstream.errors import EngineUnreachable, UnknownKey
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Access, Role, Value
from repstream.protocol import Engine, Snapshot
from repstream.states import REPEATER, WRITER, is_unknown
from repstream_http.answers import (
    CatalogueAnswer,
    CommandFacts,
    Facts,
    GroupEntry,
    Reading,
    StateAnswer,
    Values,
)
from repstream_http.names import Names
from repstream_http.types import argument_schema, to_json

STATES: Mapping[str, Mapping[Any, Mapping[str, Any]]] = {"engine": REPEATER, "writers": WRITER}
"""By group: what each state allows. A command that stands in none of them is possible in all."""
T = TypeVar("T")


class View:
    """An engine at one moment: its values, and the names they are shown with."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.engine = engine
        self.catalogue, self.snapshot = _together(engine)
        self.names = Names(self.catalogue, self.snapshot.values)

    def of_engine(self, role: Role) -> Value:
        """The engine's value that has a role."""
        return self.snapshot.values[self.catalogue.key(role, Group.ENGINE)]

    @property
    def state(self) -> str:
        return str(self.of_engine(Role.STATE))

    @property
    def reachable(self) -> bool:
        return not is_unknown(self.state)

    def parameter(self, key: str) -> Parameter:
        """The parameter with this key, in either form; raises `UnknownKey` or `EngineUnreachable`."""
        return self._found(self.names.parameter, key)

    def command(self, key: str) -> Command:
        """The command with this key, in either form; raises `UnknownKey` or `EngineUnreachable`."""
        return self._found(self.names.command, key)

    def group(self, name: str | None) -> Collection[Parameter]:
        """The parameters of a group, all without a name; raises `UnknownKey` or `EngineUnreachable`."""
        return self._found(self.names.group, name) if name else self.catalogue.parameters.values()

    def _found(self, find: Callable[[str], T], key: str) -> T:
        try:
            return find(key)
        except UnknownKey as error:
            if self.reachable:
                raise
            # The names of streams and writers are known to the engine only.
            raise EngineUnreachable(str(self.of_engine(Role.STATUS))) from error


def _together(engine: Engine) -> tuple[Catalogue, Snapshot]:
    """The catalogue and the values of one engine: another kind may be found at its address in between."""
    while True:
        catalogue, snapshot = engine.catalogue, engine.snapshot()
        if engine.catalogue is catalogue:
            return catalogue, snapshot


def facts(parameter: Parameter, names: Names) -> Facts:
    """One parameter's facts."""
    return Facts(**_facts(parameter, names))


def reading(parameter: Parameter, names: Names, value: Value, time: float) -> Reading:
    """One parameter's facts and value."""
    severity = parameter.severity(value).name.lower()
    return Reading(value=to_json(value), time=time, severity=severity, **_facts(parameter, names))


def command_facts(command: Command, names: Names) -> CommandFacts:
    """One command's facts."""
    return CommandFacts(
        key=names.shown(command.key),
        slot_key=command.key,
        group=command.group,
        slot=command.slot,
        name=command.name,
        title=command.title,
        description=command.text,
        waits=command.waits,
        allowed_in=[
            str(state) for state, ways in STATES.get(command.group, {}).items() if command.name in ways
        ],
        argument=argument_schema(command.argument) if command.argument else None,
    )


def catalogue(view: View) -> CatalogueAnswer:
    """The whole catalogue."""
    return CatalogueAnswer(
        groups=[GroupEntry(**msgspec.to_builtins(group)) for group in view.catalogue.groups.values()],
        slots=dict(view.names.slots),
        parameters=[facts(p, view.names) for p in view.catalogue.parameters.values()],
        commands=[command_facts(c, view.names) for c in view.catalogue.commands.values()],
    )


def values(view: View, parameters: Iterable[Parameter]) -> Values:
    """Values of these parameters, by the keys they are shown with."""
    held = view.snapshot
    return Values(
        epoch=held.epoch,
        sequence=held.sequence,
        time=held.time,
        slots=dict(view.names.slots),
        values=shown_values({p.key: held.values[p.key] for p in parameters}, view.names),
    )


def shown_values(held: Mapping[str, Value], names: Names) -> dict[str, Value]:
    """Values by the keys they are shown with."""
    return {names.shown(key): to_json(value) for key, value in held.items()}


def state(view: View) -> StateAnswer:
    """State and status, and the status of each group, whatever the kind of engine."""
    status = view.of_engine(Role.STATUS)
    return StateAnswer(
        engine=view.name,
        state=view.state,
        status=None if status is None else str(status),
        time=view.snapshot.time,
        **{group: _group_status(view, group) for group in _groups_with_status(view.catalogue)},
    )


def whole_config(view: View, tree: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` made whole: defaults for fields it lacks, null for streams and writers it does not name.

    The command `configure` keeps what is not named; with everything named it replaces. A tree without any of
    our sections (another program's shape) and what is no object are left for the engine to judge.
    """
    if not view.catalogue.groups.keys() & tree.keys():
        return dict(tree)
    configured = {p.group for p in view.catalogue.parameters.values() if p.writable}
    return {**tree, **{group: _whole_group(view, group, tree.get(group, {})) for group in configured}}


def _whole_group(view: View, group: str, given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    slots = view.catalogue.slots(group)
    defaults = {p.field: p.default for p in view.catalogue.of(group, min(slots, default=0)) if p.writable}
    if not slots:
        return defaults | given
    named = group in view.catalogue.named
    absent = dict.fromkeys(view.names.occupied(group), None if named else defaults)
    whole = {name: defaults | part if isinstance(part, dict) else part for name, part in given.items()}
    return absent | whole


def _groups_with_status(catalogue: Catalogue) -> Iterator[str]:
    shown = {p.group for p in catalogue.parameters.values() if _is_status(p)}
    return (group for group in catalogue.groups if group in shown and group != Group.ENGINE)


def _group_status(view: View, group: str) -> dict[str, Any]:
    if not view.catalogue.slots(group):
        return _status(view, group)
    return {name: _status(view, group, slot) for name, slot in view.names.occupied(group).items()}


def _status(view: View, group: str, slot: int = 0) -> dict[str, Value]:
    numbered: dict[str, Value] = {"slot": slot} if slot else {}
    parameters = filter(_is_status, view.catalogue.of(group, slot))
    return numbered | {p.field: to_json(view.snapshot.values[p.key]) for p in parameters}


def _is_status(parameter: Parameter) -> bool:
    return parameter.access is Access.READ_ONLY and parameter.role is not Role.NAME


def _facts(parameter: Parameter, names: Names) -> dict[str, Any]:
    return {
        "key": names.shown(parameter.key),
        "slot_key": parameter.key,
        "group": parameter.group,
        "slot": parameter.slot,
        "field": parameter.field,
        "title": parameter.title,
        "level": parameter.level.value,
        "format": parameter.format.value,
        "kind": parameter.kind.value,
        "access": parameter.access.value,
        "writable": parameter.writable,
        "description": parameter.text,
        "unit": parameter.unit,
        "default": to_json(parameter.default),
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "length": parameter.length,
        "choices": list(parameter.choices),
        "alarm": msgspec.to_builtins(parameter.alarm) if parameter.alarm else None,
    }
