"""The layout of files of channels, one dataset for each, with a row for each pulse. Pure.

::

    DEFAULT   /data1/<channel>/value      /data1/<channel>/timestamp    (n, 2): seconds, nanoseconds
    FLAT      /<channel>                  /<channel>_timestamp
    both      /header1/pulse_id, /header1/global_timestamp (n, 2)
              /general/created, user, pid, host, datasets
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repstream.files.nexus import nodes

Layout = Literal["DEFAULT", "FLAT"]

PULSE_ID, GLOBAL_TIMESTAMP = "/header1/pulse_id", "/header1/global_timestamp"
TIME = np.dtype("<i8")
UNKNOWN = np.dtype("<f8")
"""A channel whose first value is missing is taken for a number."""

LEAST_TEXT, TEXT_ROOM = 256, 4
"""Room for a text: so many bytes, or so many times those of the first one."""

CHUNK_BYTES, MOST_ROWS = 1 << 16, 1024


class Channel(NamedTuple):
    """A channel as the file has it: all of its values have this type and shape."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Of a value."""
        return self.dtype.itemsize * math.prod(self.shape)

    @property
    def rows_per_chunk(self) -> int:
        """Small values lie together, an image by itself."""
        return max(1, min(MOST_ROWS, CHUNK_BYTES // max(self.nbytes, 1)))

    def row(self, value: Any) -> NDArray[Any] | None:
        """A value as one row, None where it is of another type or shape, or a text that is too long.

        What is missing (None) is NaN, 0 or an empty text.
        """
        row = np.zeros((1, *self.shape), self.dtype)
        if value is None:
            if self.dtype.kind == "f":
                row[...] = np.nan
            return row
        if self.dtype.kind == "S":
            if not isinstance(value, str) or len(data := value.encode()) > self.dtype.itemsize:
                return None
            row[0] = data
            return row
        if isinstance(value, str):
            return None
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.newbyteorder("<") != self.dtype:
            return None
        row[0] = array
        return row


def channel_of(value: Any) -> Channel:
    """The channel that a first value makes. Raises ValueError for what no dataset holds."""
    if value is None:
        return Channel(UNKNOWN)
    if isinstance(value, str):
        return Channel(np.dtype(f"S{max(LEAST_TEXT, TEXT_ROOM * len(value.encode()))}"))
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or 0 in array.shape:
        raise ValueError(f"{array.dtype} of shape {list(array.shape)} cannot be written")
    return Channel(array.dtype.newbyteorder("<"), array.shape)


def value_path(name: str, layout: Layout) -> str:
    """The dataset of a channel's values."""
    return f"/{name}" if layout == "FLAT" else f"/data1/{name}/value"


def time_path(name: str, layout: Layout) -> str:
    """The dataset of a channel's times."""
    return f"/{name}_timestamp" if layout == "FLAT" else f"/data1/{name}/timestamp"


def tree(
    channels: Mapping[str, Channel], layout: Layout, general: Mapping[str, str | int]
) -> dict[str, nodes.Node]:
    """The empty file. `general` are created, user, pid and host."""
    made: dict[str, nodes.Node] = {}
    for name, value in general.items():
        dtype = TIME if isinstance(value, int) else np.dtype(f"S{max(len(value.encode()), 1)}")
        made[f"/general/{name}"] = nodes.Field(dtype, value)
    names = [name.encode() for name in channels]
    if names:
        made["/general/datasets"] = nodes.Table(np.array(names))
    for name, channel in channels.items():
        made[value_path(name, layout)] = _stack(channel)
        made[time_path(name, layout)] = _stack(Channel(TIME, (2,)))
    return made | {GLOBAL_TIMESTAMP: _stack(Channel(TIME, (2,))), PULSE_ID: _stack(Channel(TIME))}


def _stack(channel: Channel) -> nodes.Stack:
    return nodes.Stack(channel.shape, channel.dtype, channel.rows_per_chunk)
