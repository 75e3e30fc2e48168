"""Reading the files of this project, finished ones and those that are still being written.

A plain open sees the file as it is at that moment; to follow, it is opened anew. An open with
``swmr=True`` follows by itself. Both see complete images only: the number of images in the
file is raised after the images are there. Nothing here locks a file or hinders its writer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters of compressed files
import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files import channels
from repstream.files.confinement import check_confined
from repstream.files.failing import failing_in_library, library_reason
from repstream.files.nexus.places import ACQUISITION, CHANNELS, UNFINISHED
from repstream.lifetime import Closing

IMAGES = "/entry/data/data"
ROWS = "/entry/instrument/detector/metadata"

_PATIENCE, _PAUSE = 1.0, 0.01
"""A file whose end is being moved at this moment may refuse to open; a little later it does not."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a file has got: images and bytes of pixels in it, id of the last image, outcome.

    `last_id` is None where there is no image, or no metadata. `outcome` is ``"unfinished"``
    while the file is being written, and for ever where its writer was killed; empty in files
    of others.
    """

    count: int
    nbytes: int
    last_id: int | None
    outcome: str

    @property
    def finished(self) -> bool:
        """Whether nothing comes any more."""
        return self.outcome != UNFINISHED


class FileReader(Closing):
    """One file for reading; a context manager.

    Raises StorageError where it cannot be read, at whatever is asked of it, and where it has no images under
    ``/entry/data/data`` though it is finished; a file that waits for its first image has none, and `count` 0.
    `refresh` brings everything up to date. `roots`: folders that no link in the file may lead out of;
    StorageError where one does.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, swmr: bool = False, roots: Sequence[Path] | None = None
    ) -> None:
        self.path = Path(path)
        self._roots = roots
        self._swmr = swmr
        self._images: h5py.Dataset | None = None
        self._rows: h5py.Dataset | None = None
        self._outcome = ""
        self._open()

    @property
    def count(self) -> int:
        """Complete images in the file."""
        return self._count

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels. Raises StorageError before the first image."""
        _, height, width = self._need().shape
        return height, width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type with its byte order. Raises StorageError before the first image."""
        return self._need().dtype  # type: ignore[no-any-return]

    @property
    def extent(self) -> Extent:
        """How far the file has got."""
        images, rows = self._images, self._rows
        nbytes = 0 if images is None else self.count * int(np.prod(images.shape[1:])) * images.dtype.itemsize
        last = None
        with failing_in_library(self.path):
            if rows is not None and 0 < self.count <= len(rows):
                last = int(rows["image_id", self.count - 1])
        return Extent(self.count, nbytes, last, self.outcome)

    @property
    def outcome(self) -> str:
        """How the acquisition ended; see `Extent`."""
        return self._outcome

    def result(self, name: str) -> str | int | float | None:
        """A fact or result of the acquisition (`places.RESULTS`), None where the file has none."""
        path = f"{ACQUISITION}/{name}"
        with failing_in_library(self.path):
            if path not in self._file:
                return None
            value = self._file[path][()]
        found: str | int | float = value.decode() if isinstance(value, bytes) else value.item()
        return found

    @property
    def channels(self) -> dict[str, str]:
        """Path of the images of each channel by its name; nothing where there are no channels."""
        return channels.from_text(str(self.result(CHANNELS) or ""))

    def image(self, number: int, channel: str = "") -> NDArray[Any]:
        """Image `number` (0 … count-1), decompressed, of a channel or of the first.

        Raises KeyError for a channel that the file does not have, StorageError where it cannot be read.
        """
        if not 0 <= number < self.count:
            raise IndexError(f"{self.path} has {self.count} images, and no number {number}")
        path = self.channels[channel] if channel else ""
        with failing_in_library(f"{self.path}: image {number}"):
            if path:
                self._check(path)
            images = _refreshed(self._file[path]) if path else self._need()
            return images[number]  # type: ignore[no-any-return]

    def rows(self, first: int = 0, stop: int | None = None) -> NDArray[Any] | None:
        """Metadata of images `first` … `stop` - 1, one row each; None where the file has none."""
        if self._rows is None:
            return None
        with failing_in_library(self.path):
            rows: NDArray[Any] = self._rows[first : self.count if stop is None else min(stop, self.count)]
        return rows

    def refresh(self) -> None:
        """See what has come since. Raises StorageError where the file is gone."""
        images = self._images
        if self._swmr and images is not None and not images.is_virtual and self._is_current():
            with failing_in_library(self.path):
                self._follow(images)
        else:
            self.close()
            self._open()

    def close(self) -> None:
        self._file.close()

    def _follow(self, images: h5py.Dataset) -> None:
        # In the reverse of the order in which they are written, so that none is behind the one before.
        if self._outcome:
            self._file[f"{ACQUISITION}/outcome"].id.refresh()
        self._outcome = str(self.result("outcome") or "")
        self._images = _refreshed(images)
        self._count = len(self._images)
        if self._rows is not None:
            self._rows = _refreshed(self._rows)

    def _open(self) -> None:
        self._file = open_file(self.path, swmr=self._swmr)
        try:
            with failing_in_library(self.path):
                self._look()
        except StorageError:
            self.close()
            raise

    def _look(self) -> None:
        self._state = self.path.stat()
        self._outcome = str(self.result("outcome") or "")
        self._images = self._dataset(IMAGES)
        self._count = 0 if self._images is None else len(self._images)
        self._rows = None if self._images is None else self._dataset(ROWS)
        if self._images is None and self.outcome != UNFINISHED and self.result("written") is None:
            raise StorageError(f"{self.path} has no images under {IMAGES}")

    def _check(self, path: str) -> None:
        if self._roots is not None:
            check_confined(self._file, path, self._roots)

    def _dataset(self, path: str) -> h5py.Dataset | None:
        self._check(path)
        if path not in self._file:
            return None
        found = self._file[path]  # `get` would take one that cannot be read for none
        waits = isinstance(found, h5py.Dataset) and 0 in found.shape[1:]
        return found if isinstance(found, h5py.Dataset) and not waits else None

    def _need(self) -> h5py.Dataset:
        if self._images is None:
            raise StorageError(f"{self.path} has no image yet")
        return self._images

    def _is_current(self) -> bool:
        """Whether the name still stands for the file that is open: the first image replaces it."""
        try:
            return os.path.samestat(self._state, self.path.stat())
        except OSError:
            return False


def _refreshed(dataset: h5py.Dataset) -> h5py.Dataset:
    """The dataset as it is now; the object that h5py made before remembers its shape."""
    dataset.id.refresh()
    return h5py.Dataset(dataset.id)


def open_file(path: Path, *, swmr: bool = False) -> h5py.File:
    """Open for reading, without a lock. Raises StorageError with the reason.

    What is no regular file is not opened: the library would wait for the other end of a pipe, and hold
    up every other file meanwhile.
    """
    if path.exists() and not path.is_file():
        raise StorageError(f"{path} is no regular file")
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return h5py.File(path, "r", swmr=swmr, locking=False)
        except FileNotFoundError:
            raise StorageError(f"{path} does not exist") from None
        except OSError as error:
            if "truncated" not in str(error) or time.monotonic() > end:
                raise StorageError(f"{path} cannot be opened as HDF5: {library_reason(error)}") from error
        time.sleep(_PAUSE)


def follow(
    path: str | os.PathLike[str],
    *,
    swmr: bool = False,
    interval: float = 0.2,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[FileReader, Extent]]:
    """Look at a growing file every `interval` seconds until it is finished.

    The reader is good until the next step. Raises StorageError where the file cannot be read.
    """
    with FileReader(path, swmr=swmr) as reader:
        while True:
            extent = reader.extent
            yield reader, extent
            if extent.finished:
                return
            wait(interval)
            reader.refresh()
