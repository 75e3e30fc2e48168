"""What a file will hold, said before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from repstream.files import goniometer
from repstream.files.columns import Column, columns_of
from repstream.files.detector import DetectorFacts
from repstream.files.fence import Start
from repstream.messages.compression import compress

Scalar = str | int | float
Axis = Literal["image_id", "time"]
Compression = Literal["none", "bitshuffle_lz4", "bitshuffle_zstd"]

_ROW_START = (("image_id", np.dtype("<u8")), ("status", np.dtype("<u8")))


EXTRA_TEXT = 24
"""Characters that the exact text of a number may take."""

EXTRA_VALUE = np.dtype(
    [
        ("image", "<u8"),
        ("image_id", "<u8"),
        ("name", np.dtype("S64", metadata={"h5py_encoding": "utf-8"})),
        ("value", "<f8"),
        ("text", f"S{EXTRA_TEXT}"),
    ]
)
"""A number that came with an image and that no column of its row holds.

`image`: the image's number in the file. `value`: the nearest double. `text`: the number exactly, as
JSON writes it.
"""

GOOD, MISSING, LOST = 0, 1, 2
"""What a row's ``status`` says.

The image is as it came; it never came, its place is blank (zeros); the file that holds it is gone, and
the master shows in its place what `lost` says.
"""


_PART_FACTS = frozenset({"master", "metadata_of"})


def lost(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """What stands for a number that is not there: NaN, -1 (True) or the largest of an unsigned type."""
    if dtype.kind == "f":
        return np.array(np.nan, dtype)
    return np.array(np.iinfo(dtype).max if dtype.kind == "u" else -1).astype(dtype)


def lost_row(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The metadata of an image whose file is gone."""
    row = np.zeros((), dtype)
    for name in dtype.names or ():
        row[name] = lost(dtype[name])
    row["status"] = LOST
    return row


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file of images of one shape and type, and one row of metadata an image.

    `path`: absolute, checked by `paths.check_target`. `detector_name`: a group of the file.
    `shape`: (height, width) in pixels. `dtype`: pixel type with its byte order; pixels are
    stored as they come, never swapped. `members`: metadata beside ``image_id`` and
    ``status``, (name, type) each. `compression`: how the payloads that will be appended are
    encoded, not something done to them. `attributes`: facts known at the start, kept in
    ``/entry/acquisition``; ``start_time`` (Unix seconds) also becomes NeXus' own field.
    `user_metadata`: a JSON object as text, or nothing, kept in ``/entry/user_metadata``.
    `detector`: what the detector said when its series started, None if nothing.
    `overwrite`: replace a file that exists. `user_id`: who will own the file, 0 = the user
    that the service runs as. `axis`: what images are plotted against.
    `experiment`: settings of `ExperimentConfig`. `channels`: their names in the stream, where each image
    is one of several (`files.channels`), all of this shape and type; nothing where it is one alone.
    `axes`: those of the goniometer (`goniometer.axes`). `block_size`: bytes of a block whose boundaries
    images do not cross needlessly, 0 where it does not matter. `start`: that of the data plane which
    makes the file, None where nobody counts them.
    """

    path: Path
    detector_name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    members: tuple[tuple[str, np.dtype[Any]], ...] = ()
    compression: Compression = "none"
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    user_metadata: str = ""
    detector: DetectorFacts | None = None
    overwrite: bool = False
    user_id: int = 0
    axis: Axis = "image_id"
    experiment: Mapping[str, Scalar] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    axes: tuple[goniometer.Axis, ...] = ()
    block_size: int = 0
    start: Start | None = None

    @property
    def row_dtype(self) -> np.dtype[Any]:
        """Type of a metadata row, packed."""
        return np.dtype([*_ROW_START, *self.members])

    @property
    def is_part(self) -> bool:
        """Whether a master shows what is in this file."""
        return not _PART_FACTS.isdisjoint(self.attributes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is kept of each row as plain datasets: its members, and positions of axes that move."""
        return (*columns_of(self.row_dtype), *(axis.column for axis in self.axes if axis.increment))

    @property
    def datasets(self) -> int:
        """How many datasets of images there are."""
        return len(self.channels) or 1

    @property
    def image_nbytes(self) -> int:
        """Size of an image in bytes, uncompressed."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def blank(self) -> bytes:
        """An image of zeros as this file stores it."""
        zeros = bytes(self.image_nbytes)
        if self.compression == "none":
            return zeros
        return compress(zeros, self.dtype.itemsize, self.compression)
