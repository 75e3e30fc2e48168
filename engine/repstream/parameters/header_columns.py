"""Columns or channels that a user declares for the numbers in headers: ``pos:float64, pulse_id:uint64``."""

from __future__ import annotations

from collections.abc import Mapping

MOST_COLUMNS = 64
MOST_NAME = 64

TYPES = ("int64", "uint32", "uint64", "float64", "bool")


def parse_columns(text: str) -> tuple[tuple[str, str], ...]:
    """(name, type) of each column. Raises ValueError that says which one is wrong, and why."""
    return _parse(text, "columns", dict.fromkeys(("image_id", "status"), "is a column of every file"))


def parse_channels(text: str, image: str = "") -> tuple[tuple[str, str], ...]:
    """(name, type) of each bsread channel beside that of the image. Raises ValueError as above."""
    return _parse(text, "channels", {image: "is the channel of the image"})


def _parse(text: str, what: str, taken: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if len(pieces) > MOST_COLUMNS:
        raise ValueError(f"must name at most {MOST_COLUMNS} {what}, not {len(pieces)}")
    found: dict[str, str] = {}
    for piece in pieces:
        name, colon, kind = (part.strip() for part in piece.rpartition(":"))
        if not colon or kind not in TYPES:
            raise ValueError(
                f"{piece!r} must be a name and a type, such as pulse_id:uint64; types are {', '.join(TYPES)}"
            )
        if not name.isprintable() or not 0 < len(name.encode()) <= MOST_NAME:
            raise ValueError(f"{name!r} must be a name of 1 to {MOST_NAME} printable characters")
        if name in taken or name in found:
            why = "is there twice" if name in found else taken[name]
            raise ValueError(f"{name!r} {why}; name another attribute")
        found[name] = kind
    return tuple(found.items())
