"""The axes of a goniometer as users state them: a JSON object, axis by axis from the base to the sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KEY = "goniometer"
"""Its name in `nexus_metadata`."""

Kind = Literal["rotation", "translation"]
Vector = tuple[float, float, float]

_UNITS: Mapping[str, str] = {"rotation": "deg", "translation": "m"}
_KEYS = ("vector", "type", "offset", "units", "start", "increment")


@dataclass(frozen=True, slots=True)
class StatedAxis:
    """One axis; `vector` and `offset` (m) in NeXus' own system of coordinates (McStas).

    `start`: its position at image id 0, `increment`: from one id to the next, both in `units`; None
    where only the detector knows.
    """

    name: str
    kind: Kind
    vector: Vector
    offset: Vector
    units: str
    start: float | None
    increment: float | None


def stated_axes(found: Any) -> tuple[StatedAxis, ...]:
    """The axes in a JSON value, in its order. Raises ValueError where it is something else."""
    if not isinstance(found, dict):
        raise ValueError(f"{KEY} must be an object of axes, such as {{'omega': {{'vector': [-1, 0, 0]}}}}")
    return tuple(_axis(name, fields) for name, fields in found.items())


def _axis(name: str, fields: Any) -> StatedAxis:
    where = f"{KEY}.{name}"
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"{where}: the name of an axis has letters, digits and _")
    if not isinstance(fields, dict) or "vector" not in fields:
        raise ValueError(f"{where} must be an object with a vector, such as {{'vector': [-1, 0, 0]}}")
    if unknown := sorted(fields.keys() - set(_KEYS)):
        raise ValueError(f"{where} has no {unknown[0]!r}: it takes {', '.join(_KEYS)}")
    kind = fields.get("type", "rotation")
    if kind not in _UNITS:
        raise ValueError(f"{where}.type = {kind!r}: must be rotation or translation")
    vector = _vector(f"{where}.vector", fields["vector"])
    if not any(vector):
        raise ValueError(f"{where}.vector must have a length")
    units = fields.get("units", _UNITS[kind])
    if not isinstance(units, str) or not units:
        raise ValueError(f"{where}.units must be a text, such as {_UNITS[kind]}")
    offset = _vector(f"{where}.offset", fields.get("offset", [0, 0, 0]))
    start, increment = (_number(f"{where}.{key}", fields.get(key)) for key in ("start", "increment"))
    return StatedAxis(name, kind, vector, offset, units, start, increment)


def _vector(where: str, value: Any) -> Vector:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"{where} must be three numbers")
    x, y, z = (_number(where, item) for item in value)
    if x is None or y is None or z is None:
        raise ValueError(f"{where} must be three numbers")
    return x, y, z


def _number(where: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where} = {value!r}: must be a number")
    return float(value)
