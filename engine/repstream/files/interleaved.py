"""The master of an acquisition that several processes write: its images lie in their files in turn.

The master shows a fixed number of images and is made anew for more, whole under its name: a
virtual dataset that grows by itself would reach as far as the file that is ahead, and show
places whose images are still to come in the others. So each version is right for ever, also
after a kill.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from repstream.errors import StorageError
from repstream.files import hdf5, nexus
from repstream.files.plan import FilePlan, Scalar
from repstream.files.publish import check_in_place, is_same_file, publish, settle
from repstream.files.results import ResultFields, close, write_results


def turn_paths(path: Path, parts: int) -> list[Path]:
    """The names of the parts, counted from 0: ``scan_part0.h5``, ``scan_part1.h5`` beside ``scan.h5``."""
    return [path.with_name(f"{path.stem}_part{number}{path.suffix}") for number in range(parts)]


class InterleavedMaster:
    """Shows images that lie in `files` in turn, `count` of them, 1 or more.

    `replacing` is the state of the file that has the master's name until now. Raises
    StorageError where the storage fails or another file has the name by now, which stays.
    """

    def __init__(self, plan: FilePlan, files: Sequence[str], replacing: os.stat_result, count: int) -> None:
        self._plan = plan
        self._files = files
        self._state = replacing
        self._fd = -1
        self.path = plan.path
        self.nbytes = 0
        self.show(count)

    def show(self, count: int) -> None:
        """Show so many images; they must be there for readers of the parts."""
        image = hdf5.build(nexus.interleaved_tree(self._plan, self._files, count))
        fd = publish(self.path, image.data, lambda: is_same_file(self.path, self._state), self._plan.user_id)
        self._hang_up()
        self._fd, self._state = fd, os.fstat(fd)
        self._results = ResultFields(image.fields)
        self.nbytes = len(image.data)

    def check_in_place(self) -> None:
        """As `FrameFile.check_in_place`."""
        check_in_place(self.path, self._fd)

    def sync(self) -> None:
        """Put the master and its name on the disk. Raises StorageError."""
        try:
            settle(self._fd, self.path)
        except OSError as error:
            raise StorageError(f"{self.path} is not safe on the disk: {error.strerror or error}") from error

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close, as `FrameFile.finish` does."""
        writes = self._results.encode(results)
        try:
            write_results(self._fd, writes)
            settle(self._fd, self.path)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be finished: {error.strerror or error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Give up the file as it is; a second time does nothing."""
        self._hang_up()

    def _hang_up(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd, self.path)
