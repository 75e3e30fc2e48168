"""The reference page of areaDetector's PVs, from the table that serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from repstream_epics.areadetector import table
from repstream_epics.areadetector.groups import GROUPS
from repstream_epics.areadetector.rows import Action, Counted, Fixed, Kept, Live, Row

_NOTE = "<!-- Made by `make docs`; change ioc/repstream_epics/areadetector/table.py instead. -->"
_HEAD = ("| PV | Record | Values | What stands behind it |", "|---|---|---|---|")


def page() -> str:
    """All PVs, a table for each group."""
    lines = [
        _NOTE,
        "",
        "# areaDetector's PVs",
        "",
        "How to have them served, and what differs from an areaDetector: [Take repstream for an",
        "areaDetector](../how-to/areadetector.md). `_RBV` in brackets: the readback is there as well. *Kept*",
        "values are kept for clients that read them back, and have no effect; *fixed* ones take no other",
        "value.",
    ]
    for title, group, rows in GROUPS:
        lines += ["", f"## {title}: `{group}`", "", *_HEAD, *_lines(group, rows)]
    return "\n".join(lines) + "\n"


def _lines(group: str, rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        names = [pv.removeprefix(group) for pv in row.pvs]
        shown = f"`{names[0]}`" + (" (`_RBV`)" if len(names) > 1 else "")
        records = row.type.value[0 if names[0].endswith("_RBV") else 1]
        values = ", ".join(row.strings) if row.strings else row.unit
        yield f"| {shown} | {records} | {values} | {row.title}: {_behind(row)} |"


def _behind(row: Row) -> str:
    match row.what:
        case Live(keys=keys):
            return ", ".join(f"`{key}`" for key in keys)
        case Counted(key=key):
            return f"`{key}`; may be set to any number, and counts on from there"
        case Kept(default=default):
            if row.name in (table.NUM_IMAGES, table.IMAGE_MODE):
                return f"taken by Acquire, at first {default}"
            return f"*kept*, at first {default}" if default != "" else "*kept*, at first empty"
        case Fixed(value=value):
            return f"*fixed*, {value}" if value != "" else "*fixed*, empty"
        case Action() as action:
            return action.value
