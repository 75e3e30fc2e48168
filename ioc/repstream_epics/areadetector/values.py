"""Values of rows: what their PVs show, what clients may write, and what is kept for them."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import Any

from repstream.parameters.commands import Argument
from repstream.parameters.facts import Kind, Value
from repstream_epics import types
from repstream_epics.areadetector.rows import Counted, Fixed, Held, Kept, Live, Row, Type
from repstream_epics.view import Edit, Write

KEPT = "facade.area_detector"
STRING_LENGTH = 39

_KINDS = {
    Type.LONG: Kind.INT,
    Type.DOUBLE: Kind.FLOAT,
    Type.STRING: Kind.TEXT,
    Type.CHARS: Kind.TEXT,
}


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    return dict(json.loads(text)) if text.strip() else {}


def kept(row: Row, held: Held) -> Value:
    """The value kept for a row; its default where there is none, or none that could have been written."""
    if not isinstance(row.what, Kept):
        raise TypeError(f"{row.name} keeps nothing")
    value: Value = _parsed(str(held[KEPT] or "")).get(row.name, row.what.default)
    try:
        if isinstance(value, bool):
            raise ValueError
        return _checked(row, types.choice(row.strings, value or "") if row.strings else value)
    except (TypeError, ValueError):
        return row.what.default


def _base(row: Row, held: Held) -> int:
    """Where a counter began, as it was kept."""
    value = _parsed(str(held[KEPT] or "")).get(row.name, 0)
    return value if isinstance(value, int) else 0


def _with(name: str, value: Value, text: Value) -> str:
    return json.dumps({**_parsed(str(text or "")), name: value}, sort_keys=True)


def keys(row: Row) -> tuple[str, ...]:
    """The keys of the engine that a row's PVs follow."""
    match row.what:
        case Live(keys=keys):
            return keys
        case Counted(key=key):
            return (key, KEPT)
        case _:
            return (KEPT,)


def shown(row: Row, held: Held) -> Value:
    """The value of a row's PVs; None: there is none now."""
    match row.what:
        case Live(show=show):
            value = show(held)
            return types.text_to_pv(value, row.length) if isinstance(value, str) and row.length else value
        case Kept():
            return kept(row, held)
        case Fixed(value=value):
            return value
        case Counted(key=key):
            count = int(held[key] or 0)
            base = _base(row, held)
            return min(count - base if base <= count else count, types.LONG_MAX)
        case _:
            raise TypeError(f"{row.name} has a control of its own")


def requested(row: Row, raw: str | bytes | int | float, held: Held) -> Write | Edit | None:
    """What a put asks for; raises `ValueError` with the reason why it cannot be."""
    value = _read(row, raw)
    match row.what:
        case Live(write=write):
            if write is None:
                raise ValueError("is read-only")
            return Write(write(value))
        case Kept():
            return Edit(KEPT, partial(_with, row.name, _checked(row, value)))
        case Counted(key=key):
            base = int(held[key] or 0) - int(value or 0)
            return Edit(KEPT, partial(_with, row.name, base))
        case Fixed(value=only):
            if value != only:
                raise ValueError(f"must be {only!r}, which is all that there is, not {value!r}")
            return None
        case _:
            raise TypeError(f"{row.name} has a control of its own")


def _read(row: Row, raw: str | bytes | int | float) -> Value:
    if row.strings:
        return types.choice(row.strings, raw)
    value: Value = types.from_pv(Argument(_KINDS[row.type], row.title), raw)
    room = row.length or STRING_LENGTH
    if isinstance(value, str) and len(value) > room:
        raise ValueError(f"must have at most {room} characters, not {len(value)}")
    return value


def _checked(row: Row, value: Value) -> Value:
    """`value`, if it is of the row's type and within its limits; raises `ValueError` or `TypeError`."""
    if not isinstance(row.what, Kept) or isinstance(row.what.default, str):
        if not isinstance(value, str):
            raise ValueError(f"must be text, not {value!r}")
        return value
    low, high = row.what.low, row.what.high
    if isinstance(value, str) or value is None or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"must be between {low:g} and {high:g}, not {value}")
    if row.type is Type.LONG and value != int(value):
        raise ValueError(f"must be a whole number, not {value}")
    return value
