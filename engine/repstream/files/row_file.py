"""A file of metadata rows alone, for an acquisition whose images lie in several files.

Rows are appended with plain system calls in the order of `FrameFile`: the number of rows, which
is what readers look at, comes last, so a kill between any two writes leaves a valid file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.appending import append
from repstream.files.column_store import ColumnStore
from repstream.files.failing import failing
from repstream.files.growing import RowStore, Tail
from repstream.files.layout import ADDRESS
from repstream.files.nexus import places, trees
from repstream.files.plan import FilePlan, Scalar
from repstream.files.publish import DAMAGED, check_in_place, is_same_file, publish, settle
from repstream.files.raw_io import write_all
from repstream.files.results import ResultFields, close, enter_failure, write_results
from repstream.files.stated_end import StatedEnd

_AHEAD = 4 << 20
"""How far the end is stated ahead of the content."""


class RowFile:
    """Grows by batches of rows; `replacing` is the state of the file that has the name until now.

    `plan` says what the rows are of; its shape and pixel type do not matter. Raises StorageError
    where the storage fails or another file has the name by now, which stays.
    """

    def __init__(self, plan: FilePlan, replacing: os.stat_result) -> None:
        self.path = plan.path
        self.row_dtype = plan.row_dtype
        self.count = 0
        image = hdf5.build(trees.rows_tree(plan))
        self._results = ResultFields(image.fields)
        self._places = image.stacks[places.metadata_path(plan.detector_name)]
        self._rows = RowStore(plan.row_dtype, places.rows_per_chunk(plan.row_dtype))
        columns = plan.columns
        self._columns = ColumnStore(columns)
        self._columns_places = [image.stacks[column.path] for column in columns]
        self._end = len(image.data)
        self._fd = publish(
            self.path, image.data, lambda: is_same_file(self.path, replacing), plan.user_id, plan.start
        )
        self._stated = StatedEnd(self._fd, image.data, _AHEAD)

    @property
    def nbytes(self) -> int:
        """Size of the file's content in bytes."""
        return self._end

    def append(self, rows: np.ndarray[Any, Any]) -> None:
        """Write rows of `FilePlan.row_dtype`; readers see them when this returns."""
        tail = Tail(self._end)
        offset, data = self._rows.add(rows, tail)
        self._columns.make_room(self.count + len(rows), tail)
        self._columns.keep(rows)
        indices = {self._places: self._rows.index}
        indices |= dict(zip(self._columns_places, self._columns.indices, strict=True))
        with failing(self.path, "cannot be written"):
            in_place = [(offset, data), *self._columns.take()]
            append(self._fd, self._stated, tail, in_place, indices, first=not self.count)
            for places in (*self._columns_places, self._places):
                write_all(self._fd, ADDRESS.pack(self.count + len(rows)), places.extent)
        self._end = tail.end
        self.count += len(rows)

    def sync(self) -> None:
        """Put everything on the disk. Raises StorageError."""
        with failing(self.path, "is not safe on the disk"):
            os.fdatasync(self._fd)

    def check_in_place(self) -> None:
        """As `FrameFile.check_in_place`."""
        check_in_place(self.path, self._fd)
        with failing(self.path, DAMAGED):
            self._stated.check()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results, end the file where its content ends, close; as `FrameFile.finish`."""
        writes = self._results.encode(results)
        if self._fd < 0:  # the number may be another file's by now
            raise StorageError(f"{self.path} is closed")
        with failing(self.path, "cannot be finished"):
            self._stated.check()
        try:
            with failing(self.path, "cannot be finished"):
                self._stated.settle(self._end)
                write_results(self._fd, writes)
                settle(self._fd, self.path)
        except StorageError as error:
            enter_failure(self._fd, self._results, str(error))
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Give up the file as it is; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd, self.path)
