"""A configuration, as JSON has it, with parts of it replaced."""

from __future__ import annotations

from typing import Any

FOLLOWS = {"output_file": ("folder", "file_name", "file_template")}
"""What follows from a setting where that is given: what is held must not stand against it."""


def merged(held: Any, part: Any) -> Any:
    """`held` with what `part` gives, objects within objects likewise."""
    if not (isinstance(held, dict) and isinstance(part, dict)):
        return part
    following = {name for setting, names in FOLLOWS.items() if setting in part for name in names}
    kept = {name: value for name, value in held.items() if name not in following}
    return kept | {name: merged(held.get(name), value) for name, value in part.items()}
