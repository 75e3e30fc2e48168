"""What the `status` of a metadata row says, in this project's words and in those of the standard DAQ. Pure.

Files that are named as the standard DAQ's, or were asked for over its interfaces, have its words too,
which their readers know: 1 a good image, 2 one with missing packets, 3 one of whose packets some had
another id; 0 there is none, its place is blank. The fact `STATUS_WORDS` in such a file says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.files.plan import GOOD, LOST, MISSING

STATUS_WORDS, STD_DAQ = "status_words", "std_daq"

UNDEFINED, GOOD_IMAGE, MISSING_PACKETS = 0, 1, 2
"""Of the standard DAQ: no image; a good one, where nobody said anything else; one that is not complete."""

IMAGE_STATUS, COMPLETE = "image_status", "image_is_complete"
"""Columns of what the ring buffer, or whoever sent the image, said of it."""

_GONE = np.iinfo(np.uint64).max
"""As any number that was in a file that is gone."""


def is_std_daq(facts: Mapping[str, Any]) -> bool:
    """Whether a file with these facts has the standard DAQ's words."""
    return facts.get(STATUS_WORDS) == STD_DAQ


def put_std_daq(rows: NDArray[Any]) -> None:
    """Replace our words in these rows by those of the standard DAQ."""
    said = np.full(len(rows), GOOD_IMAGE, np.uint64)
    said[_has(rows, COMPLETE) & (_column(rows, COMPLETE) == 0)] = MISSING_PACKETS
    given = _column(rows, IMAGE_STATUS)
    known = _has(rows, IMAGE_STATUS) & (given > UNDEFINED)
    said[known] = given[known]
    rows["status"] = np.where(rows["status"] == GOOD, said, UNDEFINED)


def put_ours(rows: NDArray[Any]) -> None:
    """The reverse, as far as whether there is an image."""
    status = rows["status"]
    rows["status"] = np.select([status == _GONE, status == UNDEFINED], [LOST, MISSING], GOOD)


def _column(rows: NDArray[Any], name: str) -> NDArray[Any]:
    """The column of this name; zeros where there is none."""
    return rows[name] if name in (rows.dtype.names or ()) else np.zeros(len(rows), np.uint64)


def _has(rows: NDArray[Any], name: str) -> NDArray[Any]:
    """Which rows have a value in the column of this name."""
    names = rows.dtype.names or ()
    mask = f"{name}_mask"
    there: NDArray[Any] = np.full(len(rows), name in names)
    return there & (rows[mask] == 0) if mask in names else there
