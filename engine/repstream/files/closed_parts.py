"""The parts of an acquisition that are finished while later ones are written: they have to stay."""

from __future__ import annotations

import os
from array import array
from itertools import islice
from pathlib import Path
from stat import S_ISLNK

from repstream.errors import StorageError

_AT_ONCE = 256


class ClosedParts:
    """Knows each part's file and size.

    A part may be moved to another place if a symbolic link with its name leads there: whoever
    reads the master follows it.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._paths: list[Path] = []
        self._facts = array("Q")
        self._next = 0

    def add(self, path: Path, state: os.stat_result, nbytes: int) -> None:
        """A part is closed: `state` identified it, `nbytes` is its size."""
        self._paths.append(path)
        self._facts.extend((state.st_dev, state.st_ino, nbytes))
        self.nbytes += nbytes

    def check(self) -> None:
        """Raise StorageError where a part is gone, is another file or was cut; some are looked at in turn."""
        numbers = range(self._next, len(self._paths))
        for number in islice(numbers, _AT_ONCE):
            self._check(number)
        self._next = self._next + _AT_ONCE if len(numbers) > _AT_ONCE else 0

    def check_all(self) -> None:
        """As `check`, all of them."""
        for number in range(len(self._paths)):
            self._check(number)

    def _check(self, number: int) -> None:
        path = self._paths[number]
        device, inode, nbytes = self._facts[3 * number : 3 * number + 3]
        try:
            named, there = path.lstat(), path.stat()
        except OSError as error:
            raise StorageError(f"{path}, a finished part, cannot be found: {error.strerror}") from error
        moved = S_ISLNK(named.st_mode)
        if not moved and (there.st_dev, there.st_ino) != (device, inode):
            raise StorageError(f"{path}, a finished part, was replaced by another file")
        if there.st_size < nbytes:
            raise StorageError(f"{path}, a finished part, was cut to {there.st_size} of {nbytes} bytes")
