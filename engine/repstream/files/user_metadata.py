"""What a user wants to keep with the images, as fields of the file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from repstream.parameters.json_text import parse_object

JSON = "json"
"""Name of the field that holds the whole text."""

NAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.]*[a-zA-Z0-9_])?")
"""What NeXus takes for the name of a field or group (https://manual.nexusformat.org/datarules.html)."""


def fields(text: str) -> Iterator[tuple[tuple[str, ...], str | int | float]]:
    """(path, value) of each single value in a JSON object that has a NeXus name and fits a field.

    Truth values become 0 and 1. Lists, null, integers beyond 64 bits and values below a name that
    NeXus does not take are in the JSON text only. Raises ValueError where the text is no object.
    """
    yield from _fields(parse_object(text), ())


def _fields(
    found: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str | int | float]]:
    for name, value in found.items():
        if not NAME.fullmatch(name) or (not path and name == JSON):
            continue
        if isinstance(value, dict):
            yield from _fields(value, (*path, name))
        elif isinstance(value, bool):
            yield (*path, name), int(value)
        elif isinstance(value, str | float) or (isinstance(value, int) and -(2**63) <= value < 2**64):
            yield (*path, name), value
