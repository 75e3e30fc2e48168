"""The panel of areaDetector's view: driver and HDF5 plugin side by side, from the table of its PVs."""

from __future__ import annotations

from repstream.parameters.facts import Kind
from repstream_epics.areadetector import table
from repstream_epics.areadetector.groups import GROUPS
from repstream_epics.areadetector.rows import Fixed, Form, Kept, Type
from repstream_epics.areadetector.rows import Row as TableRow
from repstream_panels.epics.displays import Display, Row, Section

MACRO = "$(P)"

_KINDS = {
    Type.LONG: Kind.INT,
    Type.DOUBLE: Kind.FLOAT,
    Type.SWITCH: Kind.BOOL,
    Type.CHOICE: Kind.CHOICE,
    Type.STRING: Kind.TEXT,
    Type.CHARS: Kind.TEXT,
}


def display() -> Display:
    """What acts or shows something; what is only kept for clients is left out."""
    columns = [
        [Section(group.title, [_row(row) for row in group.rows if not isinstance(row.what, Kept | Fixed)])]
        for group in GROUPS
        if group.prefix in (table.CAM, table.HDF)
    ]
    return Display("areadetector", "areaDetector", columns)


def _row(row: TableRow) -> Row:
    readback = row.pvs[-1]
    setpoint = "" if row.form is Form.READBACK or row.shown else row.pvs[0]
    return Row(
        row.title,
        _KINDS[row.type],
        MACRO + readback,
        MACRO + setpoint if setpoint else "",
        row.unit,
        row.name,
    )
