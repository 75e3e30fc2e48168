"""Values that belong together in one PV: those of one image as a structure, those of streams as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from p4p import Type, Value
from p4p.nt import NTTable
from p4p.nt.common import alarm as alarm_type
from p4p.nt.common import timeStamp as stamp_type

from repstream.parameters.catalogue import Catalogue, Parameter
from repstream.parameters.directory import keys
from repstream.parameters.facts import Level, Role
from repstream_epics import directory, names
from repstream_epics.pva import scalars
from repstream_epics.pva.pvs import FollowedPV, Held
from repstream_epics.states import NO_ALARM, NO_VALUE


class StructurePV(FollowedPV):
    """Some parameters of one slot as fields of one structure, which change together."""

    def __init__(
        self, parameters: Sequence[Parameter], show_first: Callable[[FollowedPV], None], queue: Any
    ) -> None:
        super().__init__(show_first, queue)
        self._parameters = parameters
        self.keys = tuple(p.key for p in parameters)
        fields = [(_camel(p.field), scalars.code_of(p)) for p in parameters]
        self._type = Type([*fields, ("alarm", alarm_type), ("timeStamp", stamp_type)])

    def next_value(self, held: Held, time: float) -> Value:
        content = {_camel(p.field): scalars.of_kind(p, held[p.key]) for p in self._parameters}
        alarm = NO_VALUE if all(held[p.key] is None for p in self._parameters) else NO_ALARM
        return Value(self._type, {**content, **scalars.annotation(alarm, time)})


class DirectoryPV(FollowedPV):
    """What an engine has, as JSON."""

    def __init__(
        self, catalogue: Catalogue, prefix: str, show_first: Callable[[FollowedPV], None], queue: Any
    ) -> None:
        super().__init__(show_first, queue)
        self._catalogue, self._prefix = catalogue, prefix
        self.keys = keys(catalogue)

    def next_value(self, held: Held, time: float) -> Value:
        text = directory.text_of(self._catalogue, held, self._prefix)
        return scalars.plain("s", text, directory.TITLE, NO_ALARM, time)


class TablePV(FollowedPV):
    """The filled slots of a named group as rows, what operators need to know of each as columns."""

    def __init__(
        self, catalogue: Catalogue, group: str, show_first: Callable[[FollowedPV], None], queue: Any
    ) -> None:
        super().__init__(show_first, queue)
        self._rows = [
            (catalogue.key(Role.NAME, group, slot), {p.field: p for p in _columns(catalogue.of(group, slot))})
            for slot in catalogue.slots(group)
        ]
        self.keys = tuple(p.key for _, row in self._rows for p in row.values())
        self._columns = next(iter(self._rows))[1]
        self._type = NTTable.buildType([(f, f"a{scalars.code_of(p)}") for f, p in self._columns.items()])

    def next_value(self, held: Held, time: float) -> Value:
        rows = [row for name, row in self._rows if held[name] is not None]
        columns = {
            field: [scalars.of_kind(row[field], held[row[field].key]) for row in rows]
            for field in self._columns
        }
        annotation = scalars.annotation(NO_ALARM, time)
        return Value(self._type, {"labels": list(columns), "value": columns, **annotation})


def _columns(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Name first."""
    shown = [p for p in parameters if p.level is Level.OPERATOR]
    return sorted(shown, key=lambda p: p.role is not Role.NAME)


def _camel(field: str) -> str:
    pascal = names.pascal(field)
    return pascal[:1].lower() + pascal[1:]
