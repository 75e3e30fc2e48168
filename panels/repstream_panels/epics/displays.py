"""What is on each panel: sections of rows, by rule from the catalogue. Pure, without a file format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter
from repstream.parameters.facts import Kind, Level, Role
from repstream.parameters.picture import REGIONS
from repstream_epics import names

PREFIX, SLOT = "$(P)", "$(N)"
"""Macros: what all PV names begin with, and the slot that a panel shows."""


@dataclass(frozen=True)
class Row:
    """One parameter: its readback, and the setpoint where it may be written. Names have macros."""

    title: str
    kind: Kind
    readback: str
    setpoint: str = ""
    unit: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Button:
    """A command."""

    title: str
    pv: str
    tip: str = ""


@dataclass(frozen=True)
class Region:
    """A region on an image: what it is called, and the setpoints of its column, row, width and height."""

    name: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Image:
    """A picture over PV Access, with regions that can be drawn on it."""

    pv: str
    regions: Sequence[Region] = ()


@dataclass(frozen=True)
class Link:
    """Opens another panel."""

    title: str
    panel: str
    slot: int


@dataclass(frozen=True)
class Section:
    """A group of things under a title."""

    title: str
    rows: Sequence[Row] = ()
    buttons: Sequence[Button] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Display:
    """One panel; `columns` of sections from left to right, and an image in front of them."""

    name: str
    title: str
    columns: Sequence[Sequence[Section]]
    image: Image | None = None
    macros: dict[str, str] = field(default_factory=dict)


def displays(catalogue: Catalogue) -> list[Display]:
    """An overview, and a panel for each group that has slots."""
    return [
        _overview(catalogue),
        *(_of_group(catalogue, g.name) for g in catalogue.groups.values() if g.slots),
    ]


def _overview(catalogue: Catalogue) -> Display:
    engine = Section(
        "Engine",
        _rows(p for p in catalogue.of(Group.ENGINE) if _is_status(p)),
        _buttons(catalogue.commands_of(Group.ENGINE)),
    )
    source = list(catalogue.of(Group.SOURCE))
    slots: list[Section] = []
    for name in catalogue.named:
        for slot in catalogue.slots(name):
            shown = [p for p in catalogue.of(name, slot) if p.role in _SHOWN or p.unit == "%"]
            title = catalogue.groups[name].singular
            slots.append(
                Section(
                    f"{title.capitalize()} {slot}",
                    _rows(shown, slot),
                    links=[Link("Open", name, slot)],
                )
            )
    pictures = [Link(f"Picture {slot}", Group.PICTURE, slot) for slot in catalogue.slots(Group.PICTURE)]
    left = [
        engine,
        Section("Source", _rows(p for p in source if _is_status(p))),
        Section("Pictures", links=pictures),
    ]
    settings = Section("Settings of the source", _rows(p for p in source if _is_setting(p)))
    half = len(slots) - len(catalogue.slots(Group.WRITER))
    return Display("overview", "repstream", [left, [settings, *slots[half:]], slots[:half]])


_SHOWN = frozenset({Role.NAME, Role.STATE, Role.ACQUISITION, Role.BLOCKING})


def _of_group(catalogue: Catalogue, group: str) -> Display:
    """The panel of any slot of a group, which the macro says."""
    those = list(catalogue.of(group, 1))
    columns = [
        [
            Section(
                "State", _rows(p for p in those if _is_status(p)), _buttons(catalogue.commands_of(group, 1))
            )
        ],
        [Section("Settings", _rows(p for p in those if _is_setting(p)))],
        [Section("For experts", _rows(p for p in those if p.level is Level.EXPERT))],
    ]
    image = None
    if group == Group.PICTURE:
        base = _base(group, 1)
        regions = [
            Region(f"Region {n}", *(f"{base}Roi{n}{part}" for part in ("X", "Y", "Width", "Height")))
            for n in range(1, REGIONS + 1)
        ]
        image = Image(f"pva://{base}Image", regions)
    title = catalogue.groups[group].singular
    return Display(group, f"{title.capitalize()} {SLOT}", columns, image, {"N": "1"})


def _is_status(parameter: Parameter) -> bool:
    return not parameter.writable and parameter.level is Level.OPERATOR


def _is_setting(parameter: Parameter) -> bool:
    return parameter.writable and parameter.level is Level.OPERATOR


def _rows(parameters: Iterable[Parameter], slot: int = 0) -> list[Row]:
    return [_row(p, slot) for p in parameters]


def _row(p: Parameter, slot: int) -> Row:
    as_text = p.format.value == "time"
    return Row(
        p.title,
        Kind.TEXT if as_text else p.kind,
        _named(p, names.text_of(p) if as_text else names.readback(p), slot),
        _named(p, names.setpoint(p), slot) if p.writable else "",
        p.unit,
        p.text,
    )


def _buttons(commands: Iterable[Command]) -> list[Button]:
    """Those that work without an argument."""
    return [
        Button(c.title, _named(c, names.setpoint(c)), c.text)
        for c in commands
        if c.argument is None or c.argument.optional
    ]


def _named(item: Parameter | Command, name: str, slot: int = 0) -> str:
    """A PV name with macros; with its own number where a `slot` is given."""
    if slot:
        return PREFIX + name
    return _base(item.group, item.slot) + name.removeprefix(names.head(item.group, item.slot))


def _base(group: str, slot: int) -> str:
    head = names.head(group, slot)
    return PREFIX + (head.removesuffix(f"{slot}:") + f"{SLOT}:" if slot else head)
