"""The columns that a file keeps of the numbers in its frames' headers. Pure.

Columns are fixed when the file begins, before anyone knows what later headers hold. So a number of
a JSON header gets a double, which also holds the 1.5 that follows a 1, unless its type is declared: by
the writer (`header_columns`), by the format (bsread, DECTRIS, GigaFRoST), or by a value beyond 2^53. A
column of whole numbers or truth values has a second one, the mask, which is 1 where it has no value; in
a column of doubles that is NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from repstream.messages.formats import attributes
from repstream.messages.frame import Frame

Members = tuple[tuple[str, np.dtype[Any]], ...]

MAX_MEMBERS = 256
MAX_NAME = 64
"""HDF5 keeps a compound type in an object header of at most 64 KiB."""

EXACT = 2**53
"""The whole numbers up to here are exact in a double."""

I8, U4, U8, F8, BOOL = map(np.dtype, ("<i8", "<u4", "<u8", "<f8", "u1"))

DECLARED: Mapping[str, np.dtype[Any]] = {
    "int64": I8,
    "uint32": U4,
    "uint64": U8,
    "float64": F8,
    "bool": BOOL,
}
"""Types of `header_columns`."""

_TAKEN = frozenset({"image_id", "status"})

_GIGAFROST = frozenset(
    {
        "scan_index",
        "trigger_signal",
        "image_number",
        "image_exposure_time",
        "enable_signal",
        "image_sync_time",
        "scan_datetime",
        "time_stamp",
    }
)
"""Whole numbers by the definition of that format."""


def members_of(
    frame: Frame, taken: Collection[str] = (), declared: Collection[tuple[str, str]] = ()
) -> Members:
    """(name, type) of the columns for a file that begins with this frame, without their masks.

    Those that are declared come first, there or not. Names in `taken` stand for something else in the
    rows and are left out, as are those that cannot be a name. Of more than 256, the first are kept.
    """
    found = attributes(frame)
    members: dict[str, np.dtype[Any]] = {name: DECLARED[kind] for name, kind in declared}
    for name, value in found.items():
        members.setdefault(name, _type_of(name, value, is_typed=not frame.attributes_in_header))
    used = {*_TAKEN, *taken}
    kept: list[tuple[str, np.dtype[Any]]] = []
    for name, dtype in members.items():
        names = {name, mask_of(name)} if is_masked(dtype) else {name}
        if is_usable(name) and not names & used and len(kept) < MAX_MEMBERS:
            used |= names
            kept.append((name, dtype))
    return tuple(kept)


def with_masks(members: Members) -> Members:
    """All columns of the rows: the masks stand behind the others."""
    return (*members, *((mask_of(name), BOOL) for name, dtype in members if is_masked(dtype)))


def is_masked(dtype: np.dtype[Any]) -> bool:
    """Whether a column of this type needs a mask to say that it has no value."""
    return dtype != F8


def mask_of(name: str) -> str:
    """The name of a column's mask."""
    return f"{name}_mask"


def is_usable(name: str) -> bool:
    """Whether an attribute's name can be a name in the file."""
    return 0 < len(name.encode(errors="replace")) <= MAX_NAME and name.isprintable()


def _type_of(name: str, value: float, is_typed: bool) -> np.dtype[Any]:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, float):
        return F8
    if is_typed or name in _GIGAFROST or abs(value) > EXACT:
        return I8 if value < 2**63 else U8
    return F8
