"""The reference page of Lima's attributes, from the table that serves them."""

from __future__ import annotations

from collections.abc import Iterator

from repstream_tango.lima import table
from repstream_tango.lima.projection import STEPS
from repstream_tango.lima.rows import Course, Fixed, Kept, Live, Row

_NOTE = "<!-- Made by `make docs`; change device_servers/repstream_tango/lima/table.py instead. -->"


def page() -> str:
    """All attributes and the commands that move an acquisition on."""
    lines = [
        _NOTE,
        "",
        "# Lima's attributes and commands",
        "",
        "How to have them served, and what differs from Lima: [Take repstream for a detector of",
        "Lima](../how-to/coming-from-lima.md). *Kept* values are kept for clients that read them back, and",
        "have no effect; *fixed* ones take no other value. Words may be written in any case of letters.",
        "",
        "| Attribute | Type | Values | What stands behind it |",
        "|---|---|---|---|",
        *map(_line, table.ROWS),
        "| `video_last_image` | DevEncoded | | Picture of slot 1: `VIDEO_IMAGE` |",
        "",
        "| Command | What it does |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, (_, text) in STEPS.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    kind = f"{row.dtype}{f' ({row.length})' if row.length else ''}{'' if row.writable else ', read-only'}"
    return f"| `{row.name}` | {kind} | {', '.join(row.words) or row.unit} | {row.title}: {_behind(row)} |"


def _behind(row: Row) -> str:
    match row.what:
        case Live(keys=keys):
            return ", ".join(f"`{key}`" for key in keys)
        case Kept(default=default):
            return "*kept*, at first " + ("empty" if default == "" else str(default))
        case Fixed(value=value):
            return f"*fixed*, {_plain(value)}"
        case Course() as course:
            return course.value


def _plain(value: object) -> str:
    values: Iterator[object] = iter(value) if isinstance(value, tuple) else iter((value,))
    return ", ".join(repr(one) if one == "\n" else str(one) for one in values)
