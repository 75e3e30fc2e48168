"""How the catalogue's values travel in JSON, and their facts as JSON Schema (draft 2020-12)."""

from __future__ import annotations

import json
import math
from typing import Any, assert_never

from repstream.errors import InvalidValue
from repstream.parameters.catalogue import Parameter
from repstream.parameters.commands import Argument
from repstream.parameters.facts import Format, Kind, Value

CANNOT: frozenset[str] = frozenset()
"""Facts that JSON cannot carry: none. (JavaScript rounds integers beyond 2^53 when it parses them.)"""


def schema(parameter: Parameter) -> dict[str, Any]:
    """The facts of a parameter as a JSON Schema; what that has no word for begins with ``x-``."""
    name = _type_name(parameter.kind)
    facts: dict[str, Any] = {
        "title": parameter.title,
        "description": parameter.text,
        "type": name if parameter.writable else [name, "null"],
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "maxLength": parameter.length or None,
        "default": parameter.default if parameter.writable else None,
        "readOnly": True if not parameter.writable else None,
        "x-unit": parameter.unit or None,
        "x-access": parameter.access.value,
        "x-level": parameter.level.value,
        "x-format": parameter.format.value if parameter.format is not Format.PLAIN else None,
    }
    if parameter.choices:
        facts["enum"] = [*parameter.choices, *([] if parameter.writable else [None])]
    return {word: fact for word, fact in facts.items() if fact is not None}


def argument_schema(argument: Argument) -> dict[str, Any]:
    """A command's argument as a JSON Schema."""
    name = _type_name(argument.kind)
    facts = {
        "type": [name, "null"] if argument.optional else name,
        "description": argument.text,
        "minimum": argument.minimum,
        "maximum": argument.maximum,
    }
    return {word: fact for word, fact in facts.items() if fact is not None}


def from_json(key: str, value: Any) -> Value:
    """A value that came as JSON as an engine takes it; raises `InvalidValue` for a list or object.

    Which of the others a parameter takes is the engine's to say.
    """
    if isinstance(value, list | dict):
        raise InvalidValue(key, f"must be a single value, not {json.dumps(value):.80}")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise InvalidValue(key, f"{value:.3e} does not fit into 64 bits")
    return value  # type: ignore[no-any-return]


def to_json(value: Value) -> Value:
    """A value of the catalogue as JSON has it: what is no number (NaN, infinity) becomes null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _type_name(kind: Kind) -> str:
    match kind:
        case Kind.BOOL:
            return "boolean"
        case Kind.INT:
            return "integer"
        case Kind.FLOAT:
            return "number"
        case Kind.TEXT | Kind.CHOICE:
            return "string"
    assert_never(kind)
