"""Columns that a user declares for the numbers in headers, as text: ``pos:float64, pulse_id:uint64``."""

from __future__ import annotations

MOST_COLUMNS = 64
MOST_NAME = 64

TYPES = ("int64", "uint64", "float64", "bool")


def parse_columns(text: str) -> tuple[tuple[str, str], ...]:
    """(name, type) of each column. Raises ValueError that says which one is wrong, and why."""
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if len(pieces) > MOST_COLUMNS:
        raise ValueError(f"must name at most {MOST_COLUMNS} columns, not {len(pieces)}")
    found: dict[str, str] = {}
    for piece in pieces:
        name, colon, kind = (part.strip() for part in piece.rpartition(":"))
        if not colon or kind not in TYPES:
            raise ValueError(
                f"{piece!r} must be a name and a type, such as pulse_id:uint64; types are {', '.join(TYPES)}"
            )
        if not name.isprintable() or not 0 < len(name.encode()) <= MOST_NAME:
            raise ValueError(f"{name!r} must be a name of 1 to {MOST_NAME} printable characters")
        if name in ("image_id", "status") or name in found:
            why = "is there twice" if name in found else "is a column of every file"
            raise ValueError(f"{name!r} {why}; name another attribute")
        found[name] = kind
    return tuple(found.items())
