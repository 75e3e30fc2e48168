"""A growing file of channels, one row for each pulse; readable at any time, and after a kill.

Rows are appended as `RowFile` appends its own. The pulse ids are announced last: a reader that goes by their
number finds as many values of each channel, at any moment.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repstream.errors import StorageError
from repstream.files import channel_layout, hdf5
from repstream.files.appending import append
from repstream.files.channel_layout import Channel, Layout
from repstream.files.failing import failing
from repstream.files.growing import RowStore, Tail
from repstream.files.layout import ADDRESS, DatasetPlaces
from repstream.files.publish import DAMAGED, check_in_place, publish, settle
from repstream.files.raw_io import write_all
from repstream.files.results import close
from repstream.files.stated_end import StatedEnd

_AHEAD = 16 << 20
"""How far the end is stated ahead of the content."""

Time = tuple[int, int]
"""Seconds and nanoseconds since 1970."""

NOWHEN: Time = (0, 0)
"""The time of a value that is missing."""


class _Dataset(NamedTuple):
    store: RowStore
    places: DatasetPlaces
    channel: Channel


class ChannelFile:
    """A new file at `path` for channels with these first values.

    Raises StorageError where it cannot be made, or is there already: it stays as it is. ValueError for a
    value that no dataset can hold.
    """

    def __init__(
        self,
        path: Path,
        first: Mapping[str, Any],
        layout: Layout = "DEFAULT",
        *,
        localtime: bool = True,
        user_id: int = 0,
    ) -> None:
        self.path = path
        self.count = 0
        self._channels = {name: channel_layout.channel_of(value) for name, value in first.items()}
        image = hdf5.build(channel_layout.tree(self._channels, layout, _general(localtime)))
        times = Channel(channel_layout.TIME, (2,))
        self._values, self._times = {}, {}
        for name, channel in self._channels.items():
            self._values[name] = _dataset(image, channel_layout.value_path(name, layout), channel)
            self._times[name] = _dataset(image, channel_layout.time_path(name, layout), times)
        self._stamps = _dataset(image, channel_layout.GLOBAL_TIMESTAMP, times)
        self._ids = _dataset(image, channel_layout.PULSE_ID, Channel(channel_layout.TIME))
        self._end = len(image.data)
        self._fd = publish(path, image.data, lambda: False, user_id)
        self._stated = StatedEnd(self._fd, image.data, _AHEAD)

    @property
    def nbytes(self) -> int:
        """Size of the file's content in bytes."""
        return self._end

    def stranger(self, values: Mapping[str, Any]) -> str | None:
        """The first channel that does not fit into this file: new, or of another type or shape."""
        for name, value in values.items():
            channel = self._channels.get(name)
            if channel is None or channel.row(value) is None:
                return name
        return None

    def append(
        self,
        pulse_id: int,
        timestamp: Time,
        values: Mapping[str, Any],
        times: Mapping[str, Time] | None = None,
    ) -> None:
        """Write the channels of a pulse, which fit (see `stranger`); readers see them when this returns.

        A channel that is not there, or None, leaves a row that says so: its time is 0. `times` of channels
        that have another than the pulse. Raises StorageError.
        """
        tail, in_place = Tail(self._end), []
        added: list[_Dataset] = []
        for name, dataset in self._values.items():
            value = values.get(name)
            row = dataset.channel.row(value)
            if row is None:
                raise ValueError(f"channel {name!r} does not fit into {self.path}")
            when = NOWHEN if value is None else (times or {}).get(name, timestamp)
            for target, data in ((dataset, row), (self._times[name], _time(when))):
                in_place.append(target.store.add(data, tail))
                added.append(target)
        for target, data in ((self._stamps, _time(timestamp)), (self._ids, np.array([pulse_id]))):
            in_place.append(target.store.add(data.astype(channel_layout.TIME), tail))
            added.append(target)
        indices = {dataset.places: dataset.store.index for dataset in added}
        with failing(self.path, "cannot be written"):
            append(self._fd, self._stated, tail, in_place, indices, first=not self.count)
            for dataset in added:
                write_all(self._fd, ADDRESS.pack(self.count + 1), dataset.places.extent)
        self._end = tail.end
        self.count += 1

    def finish(self) -> None:
        """End the file where its content ends, put it on the disk, close it. Raises StorageError."""
        try:
            check_in_place(self.path, self._fd)
            with failing(self.path, DAMAGED):
                self._stated.check()
            with failing(self.path, "cannot be finished"):
                self._stated.settle(self._end)
                settle(self._fd, self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Give up the file as it is; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd, self.path)


class ChannelWriter:
    """Messages into a file, which is made when the first one comes.

    With `change`, a message whose channels do not fit begins another file, ``name_2.h5`` after ``name.h5``;
    without it is refused.
    """

    def __init__(
        self, path: Path, layout: Layout = "DEFAULT", *, localtime: bool = True, change: bool = False
    ) -> None:
        self._first, self._layout, self._localtime, self._change = path, layout, localtime, change
        self._number = 0
        self._file: ChannelFile | None = None

    @property
    def path(self) -> Path:
        """The file that is being written, or is to be."""
        if self._number < 2:
            return self._first
        return self._first.with_stem(f"{self._first.stem}_{self._number}")

    def write(
        self,
        pulse_id: int,
        timestamp: Time,
        values: Mapping[str, Any],
        times: Mapping[str, Time] | None = None,
    ) -> None:
        """Write a message. Raises StorageError; ValueError for a value that no file holds."""
        if self._file is not None and (name := self._file.stranger(values)) is not None:
            if not self._change:
                raise StorageError(
                    f"{self.path}: channel {name!r} is new or has another type or shape than before; "
                    "with 'change' a new file begins then"
                )
            self.finish()
        if self._file is None:
            self._number += 1
            self._file = ChannelFile(self.path, values, self._layout, localtime=self._localtime)
        self._file.append(pulse_id, timestamp, values, times)

    def finish(self) -> None:
        """Finish the file, if there is one. Raises StorageError."""
        if self._file is not None:
            file, self._file = self._file, None
            file.finish()


def _dataset(image: hdf5.FileImage, path: str, channel: Channel) -> _Dataset:
    store = RowStore(channel.dtype, channel.rows_per_chunk, channel.shape)
    return _Dataset(store, image.stacks[path], channel)


def _time(when: Time) -> np.ndarray[Any, Any]:
    return np.array([when], channel_layout.TIME)


def _general(localtime: bool) -> dict[str, str | int]:
    created = datetime.now(None if localtime else UTC)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = str(os.getuid())
    return {
        "created": created.isoformat(sep=" "),
        "user": user,
        "pid": os.getpid(),
        "host": socket.gethostname(),
    }
