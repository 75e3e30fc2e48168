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
from typing import Any, Protocol

import numpy as np

from repstream.errors import StorageError
from repstream.files.master_file import MasterFile
from repstream.files.nexus import trees
from repstream.files.plan import FilePlan, Scalar
from repstream.files.results import as_failed
from repstream.parameters.file_names import PartNames
from repstream.states import is_fault

_ENDINGS = {"repstream": ("_part", "_meta"), "std_daq": ("", "Meta")}


def turn_paths(path: Path, parts: int, names: PartNames = "repstream") -> list[Path]:
    """The names of the parts, counted from 0: ``scan_part0.h5``, ``scan_part1.h5`` beside ``scan.h5``.

    As the standard DAQ names them: ``scan0.h5``, ``scan1.h5``.
    """
    part, _ = _ENDINGS[names]
    return [path.with_name(f"{path.stem}{part}{number}{path.suffix}") for number in range(parts)]


def meta_path(path: Path, names: PartNames = "repstream") -> Path:
    """The name of the file with the metadata of all images: ``scan_meta.h5`` or ``scanMeta.h5``."""
    return path.with_name(f"{path.stem}{_ENDINGS[names][1]}{path.suffix}")


class Rows(Protocol):
    """The file of the metadata, here (`RowFile`) or written by another process."""

    path: Path
    count: int

    @property
    def nbytes(self) -> int: ...
    def append(self, rows: np.ndarray[Any, Any]) -> None: ...
    def sync(self) -> None: ...
    def check_in_place(self) -> None: ...
    def finish(self, results: Mapping[str, Scalar]) -> None: ...
    def close(self) -> None: ...


class InterleavedMaster:
    """Shows images that lie in `files` in turn, and their metadata, which it keeps in the file `meta`.

    `replacing` is the state of the file that has the master's name until now, `rows` the
    metadata of the first images. Raises StorageError where the storage fails or another file has
    the name by now, which stays.
    """

    def __init__(
        self,
        plan: FilePlan,
        files: Sequence[str],
        replacing: os.stat_result,
        meta: Rows,
        rows: bytes,
    ) -> None:
        self._plan = plan
        self._files = files
        self._file = MasterFile(plan, replacing)
        self._meta = meta
        self.path = plan.path
        self.show(rows)

    @property
    def nbytes(self) -> int:
        """Size of the master and the file with the metadata in bytes."""
        return self._file.nbytes + self._meta.nbytes

    def show(self, rows: bytes) -> None:
        """Show the images more that have these rows; they must be there for readers of the parts."""
        self._meta.append(np.frombuffer(rows, self._plan.row_dtype))
        self._publish(final=False)

    def check_in_place(self) -> None:
        """As `FrameFile.check_in_place`, of both files."""
        self._meta.check_in_place()
        self._file.check_in_place()

    def sync(self) -> None:
        """Put all that is shown and the names on the disk. Raises StorageError."""
        self._meta.sync()
        self._file.sync()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results and close, as `FrameFile.finish` does, in both files."""
        self._file.check_results(results)
        if not is_fault(results.get("outcome")):
            self._file.check_in_place()
            self._publish(final=True)
        failure = self._finish_meta(results)
        # The master says how it ended, also where the metadata cannot any more.
        self._file.finish(results if failure is None else as_failed(results, failure))
        if failure is not None:
            raise failure

    def _publish(self, *, final: bool) -> None:
        meta = self._meta
        self._file.show(
            trees.interleaved_tree(self._plan, self._files, meta.path.name, meta.count, final=final)
        )

    def _finish_meta(self, results: Mapping[str, Scalar]) -> StorageError | None:
        try:
            self._meta.finish({**results, "message": f"Metadata of {self.path.name}."})
        except StorageError as error:
            return error
        return None
