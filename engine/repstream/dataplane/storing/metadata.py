"""The metadata rows of a file: image id, status, and the numbers that came with the images. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from repstream.files.plan import MISSING
from repstream.messages.array_attributes import AttributeReader
from repstream.messages.formats import attributes
from repstream.messages.frame import Frame
from repstream.messages.header import header_of

Members = tuple[tuple[str, np.dtype[Any]], ...]

MAX_MEMBERS = 256
MAX_NAME = 64
"""HDF5 keeps a compound type in an object header of at most 64 KiB."""

_I8, _U8, _F8, _BOOL = np.dtype("<i8"), np.dtype("<u8"), np.dtype("<f8"), np.dtype("u1")
_TAKEN = frozenset({"image_id", "status"})


def members_of(frame: Frame, taken: Collection[str] = ()) -> Members:
    """(name, type) of a frame's numeric attributes: what the rows of its acquisition hold further.

    Names in `taken` stand for something else there and are left out.

    Whole numbers become 64-bit integers (unsigned only where the value needs it), others
    doubles, truth values bytes. Of more than 256, those that come first are kept.
    """
    found = attributes(frame)
    usable = (name for name in found if name not in _TAKEN and name not in taken and _usable(name))
    return tuple((name, _type_of(found[name])) for name, _ in zip(usable, range(MAX_MEMBERS), strict=False))


def rows_of(frames: Sequence[Frame], members: Members, more: Members = ()) -> np.ndarray[Any, Any]:
    """A row a frame; an attribute that is missing or of another type is 0, or NaN in a double.

    `more` are members that have nothing to do with headers and are left 0.
    """
    rows = np.zeros(len(frames), _row_dtype(members, more))
    rows["image_id"] = [frame.frame_id for frame in frames]
    if members:
        names = tuple(name for name, _ in members)
        read = _reader(names)
        found = [
            read(header_of(frame.parts)) if frame.attributes is None else _values(frame, names)
            for frame in frames
        ]
        for (name, dtype), values in zip(members, zip(*found, strict=True), strict=True):
            rows[name] = _column(values, dtype)
    return rows


def blank_rows(ids: Sequence[int], members: Members, more: Members = ()) -> np.ndarray[Any, Any]:
    """Rows of images that are missing: their status says so."""
    rows = np.zeros(len(ids), _row_dtype(members, more))
    rows["image_id"] = ids
    rows["status"] = MISSING
    for name, dtype in members:
        rows[name] = _FIT[dtype](None)
    return rows


_reader = lru_cache(16)(AttributeReader)
"""One for each set of names, since all frames of a file are asked for the same."""


def _values(frame: Frame, names: Sequence[str]) -> list[float | None]:
    numbers = attributes(frame)
    return [numbers.get(name) for name in names]


def _column(values: Sequence[float | None], dtype: np.dtype[Any]) -> Any:
    """The values of one member, those that do not fit replaced."""
    # Nearly always all fit, which numpy finds out faster than a call for each.
    if set(map(type, values)) == _TYPES[dtype]:
        try:
            return np.array(values, dtype)
        except OverflowError:
            pass
    fit = _FIT[dtype]
    return [fit(value) for value in values]


def _row_dtype(members: Members, more: Members) -> np.dtype[Any]:
    return np.dtype([("image_id", _U8), ("status", _U8), *members, *more])


def _usable(name: str) -> bool:
    return 0 < len(name.encode(errors="replace")) <= MAX_NAME and name.isprintable()


def _type_of(value: float) -> np.dtype[Any]:
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int):
        return _I8 if value < 2**63 else _U8
    return _F8


def _signed(value: float | None) -> int:
    return value if type(value) is int and -(2**63) <= value < 2**63 else 0


def _unsigned(value: float | None) -> int:
    return value if type(value) is int and 0 <= value < 2**64 else 0


def _double(value: float | None) -> float:
    if value is None or isinstance(value, bool):
        return math.nan
    return float(value) if isinstance(value, float) or -(2**63) <= value < 2**64 else math.nan


def _truth(value: float | None) -> bool:
    return value is True


_FIT: dict[np.dtype[Any], Callable[[float | None], float]] = {
    _I8: _signed,
    _U8: _unsigned,
    _F8: _double,
    _BOOL: _truth,
}

_TYPES: dict[np.dtype[Any], set[type]] = {_I8: {int}, _U8: {int}, _F8: {float}, _BOOL: {bool}}
"""What all values of a member have to be to be taken as they are."""
