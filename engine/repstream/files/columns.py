"""The metadata once more, a plain dataset of one dimension for each number. Pure.

They lie where areaDetector keeps what came with an image, so that who knows its files, or no compound
types, finds them: one value an image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from repstream.files.user_metadata import NAME

NDATTRIBUTES = "/entry/instrument/NDAttributes"

ARRIVAL_TIME = "arrival_time"
"""Name of the time at which an image came, in Unix seconds, among the members of a row."""

UNIQUE_ID = "NDArrayUniqueId"

MOST_COLUMNS = 64
"""Members of a row that get a dataset; the others are in the rows alone."""

EPICS_EPOCH = 631_152_000
"""1990-01-01 in Unix seconds: areaDetector counts from there."""

_UNIX = "1970-01-01T00:00:00Z"
_EPICS = "1990-01-01T00:00:00Z"

Values = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]

UNITS: Mapping[str, Mapping[str, str]] = {
    ARRIVAL_TIME: {"units": "s", "start": _UNIX, "long_name": "time at which the image came"},
    "start_time": {"units": "ns", "long_name": "begin of the exposure since the start of the series"},
    "stop_time": {"units": "ns", "long_name": "end of the exposure since the start of the series"},
    "real_time": {"units": "ns", "long_name": "duration of the exposure"},
    "global_timestamp_sec": {"units": "s", "start": _UNIX, "long_name": "time of the pulse, whole seconds"},
    "global_timestamp_ns": {"units": "ns", "long_name": "time of the pulse within its second"},
    "scan_datetime": {"units": "s", "start": _UNIX, "long_name": "start of the scan"},
}
"""Attributes of the times that formats of the field bring, by the names that they have there."""


@dataclass(frozen=True, slots=True)
class Column:
    """A dataset `name` of `NDATTRIBUTES`, or at `place`; `values` makes its items from rows, of `dtype`."""

    name: str
    dtype: np.dtype[Any]
    values: Values
    attributes: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def path(self) -> str:
        return self.place or f"{NDATTRIBUTES}/{self.name}"

    @property
    def in_part(self) -> str:
        """Where a master finds it in its parts."""
        return f"/part/{'axes' if self.place else 'columns'}/{self.name}"


def columns_of(row: np.dtype[Any]) -> tuple[Column, ...]:
    """The datasets of a file with such rows; a member whose name NeXus does not take has none."""
    names = [name for name in row.names or () if name != "image_id" and NAME.fullmatch(name)]
    found = {
        UNIQUE_ID: Column(UNIQUE_ID, row["image_id"], partial(_member, "image_id")),
    }
    if ARRIVAL_TIME in names:
        found |= {column.name: column for column in _TIMES}
    for name in names[:MOST_COLUMNS]:
        found.setdefault(name, Column(name, row[name], partial(_member, name), UNITS.get(name, {})))
    return tuple(found.values())


def _member(name: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(rows[name])


def _stamp(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    stamp: np.ndarray[Any, Any] = rows[ARRIVAL_TIME] - EPICS_EPOCH
    return stamp


def _seconds(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(np.nan_to_num(np.floor(_stamp(rows)), nan=0).clip(0, 2**32 - 1), "<u4")


def _nanoseconds(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(np.nan_to_num(_stamp(rows) % 1 * 1e9, nan=0), "<u4")


_TIMES = (
    Column("NDArrayTimeStamp", np.dtype("<f8"), _stamp, {"units": "s", "start": _EPICS}),
    Column("NDArrayEpicsTSSec", np.dtype("<u4"), _seconds, {"units": "s", "start": _EPICS}),
    Column("NDArrayEpicsTSnSec", np.dtype("<u4"), _nanoseconds, {"units": "ns"}),
)
