"""Values as scripts have them, made plain: NumPy scalars, paths, enumerations, objects for JSON texts."""

from __future__ import annotations

import enum
import json
import numbers
import os
from collections.abc import Mapping

from repstream.errors import InvalidValue
from repstream.parameters.facts import Value

LOWEST, HIGHEST = -(2**63), 2**64 - 1
"""The whole numbers that 64 bits hold, with or without a sign."""


def plain(subject: str, given: object) -> Value:
    """`given` as a value that an engine takes.

    A NumPy scalar becomes the number, flag or text that it holds, a path its text, a member of an
    enumeration its value, a mapping or a list the JSON text of it. Raises `InvalidValue` naming
    `subject` for what cannot be converted, for a whole number of more than 64 bits and for a text
    that is not Unicode.
    """
    if isinstance(given, enum.Enum):
        return plain(subject, given.value)
    if isinstance(given, os.PathLike):
        return plain(subject, os.fspath(given))
    if isinstance(given, Mapping | list | tuple):
        return _json(subject, given)
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, numbers.Integral):
        return _whole(subject, int(given))
    if isinstance(given, numbers.Real):
        return float(given)
    if isinstance(given, str):
        return _text(subject, str(given))
    if type(given).__name__ in ("bool", "bool_") and hasattr(given, "item"):  # numpy.bool is no number
        return bool(given)
    raise InvalidValue(
        subject, f"a {type(given).__name__} is no value; give a number, a text, True or False: {given!r:.60}"
    )


def _whole(subject: str, number: int) -> int:
    if not LOWEST <= number <= HIGHEST:
        raise InvalidValue(subject, f"{number} does not fit into 64 bits")
    return number


def _text(subject: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValue(
            subject,
            f"the text is not valid Unicode at character {error.start + 1}: {text!a:.60}",
        ) from None
    return text


def _json(subject: str, given: object) -> str:
    try:
        return _text(subject, json.dumps(given, default=lambda item: plain(subject, item), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(subject, f"cannot be written as JSON: {error}") from None
