"""Values of rows: what their attributes show, and what a write changes. Pure."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from repstream_tango.lima.conversions import KEPT
from repstream_tango.lima.rows import Changes, Fixed, Kept, Live, Read, Row, Shown


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    return dict(json.loads(text)) if text.strip() else {}


def keys(row: Row) -> tuple[str, ...]:
    """The keys of the engine that a row follows; none where it follows the course of an acquisition."""
    match row.what:
        case Live(keys=keys):
            return keys
        case Kept():
            return (KEPT,)
        case _:
            return ()


def kept(row: Row, read: Read) -> Shown:
    """The value kept for a row; its default where there is none, or none that could have been written."""
    if not isinstance(row.what, Kept):
        raise TypeError(f"{row.name} keeps nothing")
    default = row.what.default
    found: Shown = _parsed(str(read(KEPT) or "")).get(row.name, default)
    try:
        return _checked(row, row.what, found) if type(found) is type(default) else default
    except ValueError:
        return default


def shown(row: Row, read: Read) -> Shown:
    """The value of a row's attribute; None: there is none now."""
    match row.what:
        case Live(show=show):
            return show(read)
        case Kept():
            return kept(row, read)
        case Fixed(value=value):
            return value
        case _:
            raise TypeError(f"{row.name} follows an acquisition")


def requested(row: Row, value: Shown, read: Read) -> Changes:
    """What a write changes; raises `ValueError` with the reason why it cannot be."""
    if row.words:
        value = _word(row, value)
    match row.what:
        case Live(write=write) if write is not None:
            return write(value, read)
        case Kept() as what:
            text = str(read(KEPT) or "")
            return {KEPT: json.dumps({**_parsed(text), row.name: _checked(row, what, value)}, sort_keys=True)}
        case Fixed(value=only):
            if value != only:
                raise ValueError(f"must be {only!r}, which is all that there is, not {value!r}")
            return {}
        case _:
            raise ValueError("is read-only")


def _word(row: Row, value: Shown) -> str:
    word = str(value).upper()
    if word not in row.words:
        raise ValueError(f"must be {' or '.join(row.words)}, not {value!r}")
    return word


def _checked(row: Row, what: Kept, value: Shown) -> Shown:
    if row.words and value not in row.words:
        raise ValueError(f"must be {' or '.join(row.words)}, not {value!r}")
    low, high = what.low, what.high
    if low is not None and high is not None and not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"must be between {low:g} and {high:g}, not {value}")
    return value
