"""The file of one acquisition while its frames are written.

Frames go to the end of the file with plain system calls, in an order that leaves a valid
HDF5 file at every point between two of them: first the images with the index nodes that begin
with them, then the entries that name them, then the number of metadata rows, and last the
number of images, which is what readers look at. There is nothing to repair after the
process is killed. Of many appends the images alone may be written at once, and the rest
together (`announce`). `docs/decisions/0003-file-layout.md` has the reasons and figures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.chunk_index import CAPACITY, ChunkIndex
from repstream.files.column_store import ColumnStore
from repstream.files.failing import failing
from repstream.files.growing import PAGE, RowStore, Tail, payload_sizes
from repstream.files.image_places import ImagePlaces
from repstream.files.layout import ADDRESS, DatasetPlaces
from repstream.files.nexus import trees
from repstream.files.nexus.places import extra_values_path, images_paths, metadata_path, rows_per_chunk
from repstream.files.pieces import Pieces
from repstream.files.plan import EXTRA_VALUE, FilePlan, Scalar
from repstream.files.publish import DAMAGED, check_in_place, is_same_file, may_overwrite, publish, settle
from repstream.files.raw_io import Buffer, write_all, write_buffers
from repstream.files.results import ResultFields, close, enter_failure, write_results
from repstream.files.stated_end import StatedEnd

_AHEAD_FRAMES, _AHEAD_LEAST, _AHEAD_MOST = 512, 4 << 20, 128 << 20
_STATUS = 8
"""Offset of the status in a metadata row."""

NO_EXTRA = np.zeros(0, EXTRA_VALUE)


def extra_between(extra: np.ndarray[Any, Any], first: int, stop: int) -> np.ndarray[Any, Any]:
    """Those of images `first` … `stop` - 1, counted from `first`."""
    if not len(extra):
        return extra
    chosen = extra[(extra["image"] >= first) & (extra["image"] < stop)]
    chosen["image"] -= first
    return chosen


class FrameFile:
    """An HDF5 file that grows by batches of images; made with `create`.

    Used from one thread at a time. After a StorageError the file takes no more images; what
    was there stays readable, and `finish` still works if the storage does.
    """

    def __init__(self, plan: FilePlan, image: hdf5.FileImage, fd: int) -> None:
        self._plan = plan
        self._fd = fd
        self._end = len(image.data)
        self._datasets = plan.datasets
        row_nbytes = self._datasets * plan.image_nbytes
        ahead = min(max(_AHEAD_FRAMES * row_nbytes, _AHEAD_LEAST), _AHEAD_MOST)
        self._stated = StatedEnd(fd, image.data, ahead)
        self._row_dtype = plan.row_dtype
        self._rows = RowStore(self._row_dtype, rows_per_chunk(self._row_dtype))
        self._extra = RowStore(EXTRA_VALUE, rows_per_chunk(EXTRA_VALUE))
        self._images = ImagePlaces(plan)
        self._images_places = [image.stacks[path] for path in images_paths(plan)]
        self._rows_places = image.stacks[metadata_path(plan.detector_name)]
        self._extra_places = image.stacks[extra_values_path(plan.detector_name)]
        self._extra_shown = 0
        columns = plan.columns
        self._columns = ColumnStore(columns)
        self._columns_places = [image.stacks[column.path] for column in columns]
        self._column_indices = list(zip(self._columns.indices, self._columns_places, strict=True))
        self._indices = (
            (self._rows.index, self._rows_places),
            *zip(self._images.indices, self._images_places, strict=True),
            (self._extra.index, self._extra_places),
        )
        self._named: set[DatasetPlaces] = set()
        self._results = ResultFields(image.fields)
        self._failure = ""
        self._pieces = Pieces()
        self._staged = 0
        self._unsynced = True
        self._is_name_safe = False
        self.path = plan.path
        self.count = 0

    @classmethod
    def create(cls, plan: FilePlan, replacing: os.stat_result | None = None) -> Self:
        """Make the file, empty and readable, under its name at once.

        `replacing` is the state of the one file that may be replaced, whatever the plan says
        of overwriting. Raises StorageError where the file exists or cannot be made.
        """
        image = hdf5.build(trees.image_tree(plan))

        def may_replace() -> bool:
            if replacing is None:
                return plan.overwrite and may_overwrite(plan.path)
            return is_same_file(plan.path, replacing)

        file = cls(plan, image, publish(plan.path, image.data, may_replace, plan.user_id, plan.start))
        try:
            file._stated.make_room(file.nbytes)
            file._stated.claim(file.nbytes)
        except OSError as error:
            file.close()
            raise StorageError(f"{plan.path} cannot be written: {error.strerror or error}") from error
        return file

    @property
    def nbytes(self) -> int:
        """Size of the file's content in bytes."""
        return self._end

    @property
    def state(self) -> os.stat_result:
        """What distinguishes this file from others."""
        return os.fstat(self._fd)

    @property
    def blank(self) -> bytes:
        """What is stored in the place of an image that is missing."""
        return self._images.blank

    @property
    def places(self) -> int:
        """How many images were appended; `count` of them are there for readers."""
        return self._staged

    @property
    def blanks(self) -> int:
        """How many places are blank."""
        return self._images.blanks

    def append(
        self,
        payloads: Sequence[Buffer | None],
        rows: np.ndarray[Any, Any],
        extra: np.ndarray[Any, Any] = NO_EXTRA,
        *,
        announce: bool = True,
    ) -> int:
        """Write images and their metadata; return how many images readers see then.

        `payloads`: one contiguous buffer an image, written as it is: pixels in C order, or
        what filter 32008 stores; None for an image that is missing: its place shows zeros, kept
        once for all of them (`blank`), and may be filled later. Of channels, all of one image before
        those of the next. `rows`: (len(payloads) // `FilePlan.datasets`,) of
        `FilePlan.row_dtype`. `extra`: numbers that the rows do not hold, of `EXTRA_VALUE`, where
        ``image`` counts within `rows`. The images are in the file, for every reader, when this returns,
        all or (after an error) none of them; without `announce` they wait for `announce` or
        `sync`. Raises ValueError for a wrong size or type, StorageError with the system's reason
        when the storage fails.
        """
        nbytes = self._check(payloads, rows)
        if not payloads:
            return self.count
        tail = self._tail()
        self._images.add(tail, payloads, nbytes, self._staged)
        grown = self._columns.make_room(self._staged + len(rows), tail)
        in_place = [self._rows.add(rows, tail), self._add_extra(tail, self._staged, extra)]
        with self._failing("cannot be written"):
            self._stated.make_room(tail.end)
            write_buffers(self._fd, tail.buffers, tail.sizes, tail.start)
            self._stated.claim(tail.end)
        self._gather(tail, in_place)
        if grown:
            self._gather_nodes(tail, self._column_indices)
        self._columns.keep(rows)
        self._end, self._staged, self._unsynced = tail.end, self._staged + len(rows), True
        if announce:
            self.announce()
        return self.count

    def announce(self) -> None:
        """Let readers see what was appended. Raises StorageError.

        After an append that failed this works too, if the storage does: what was whole before it is shown.
        """
        if self.count < self._staged:
            with self._failing("cannot be written"):
                self._write_pieces()
                self._show()

    def fill(
        self,
        number: int,
        payloads: Sequence[Buffer | None],
        row: np.ndarray[Any, Any],
        extra: np.ndarray[Any, Any] = NO_EXTRA,
        *,
        durable: bool = False,
    ) -> None:
        """Put an image that came late, with its metadata (one row), into its blank place.

        `payloads` (one for each dataset) and `extra` as in `append`.
        It is there when this returns; where readers know its place and it is `durable`, a power cut
        leaves the place as it was or the whole image. Raises ValueError where the place is not blank,
        or as `append`; StorageError too.
        """
        sizes = self._check(payloads, row)
        if len(row) != 1:
            raise ValueError(f"{len(row)} images for one place")
        if not self._images.occupy(number):
            raise ValueError(f"place {number} of {self.path} is not blank")
        tail = self._tail()
        moved = self._images.put(tail, payloads, sizes)
        in_place = [self._add_extra(tail, number, extra)]
        place, data = self._rows.place(number), row.tobytes()
        is_seen = durable and number < self.count
        with self._failing("cannot be written"):
            self._stated.make_room(tail.end)
            write_buffers(self._fd, tail.buffers, tail.sizes, tail.start)
            self._stated.claim(tail.end)
            self._end, self._unsynced = tail.end, True
            self._gather(tail, in_place)
            # What is gathered may hold the blank place as it was.
            self._write_pieces()
            if is_seen:
                os.fdatasync(self._fd)
            for first, second in self._images.move(number, moved):
                write_all(self._fd, first[1], first[0])
                if is_seen and first[0] // PAGE != second[0] // PAGE:
                    # Else a power cut could keep the page of the second and not that of the first.
                    os.fdatasync(self._fd)
                write_all(self._fd, second[1], second[0])
            for offset, value in self._columns.place(number, row):
                write_all(self._fd, value, offset)
            # The status last: it says that the rest is there.
            if is_seen:
                os.fdatasync(self._fd)
            write_all(self._fd, data[_STATUS + 8 :], place + _STATUS + 8)
            write_all(self._fd, data[: _STATUS + 8], place)
            self._show_extra()

    def withdraw(self, number: int, row: np.ndarray[Any, Any]) -> None:
        """Leave the place of an image blank that was appended and not announced; `row` is its metadata then.

        Raises StorageError. Of files with one dataset.
        """
        tail = self._tail()
        self._images.put_blank(tail)
        with self._failing("cannot be written"):
            self._stated.make_room(tail.end)
            write_buffers(self._fd, tail.buffers, tail.sizes, tail.start)
            self._stated.claim(tail.end)
            self._end, self._unsynced = tail.end, True
            self._write_pieces()
            for offset, entry in self._images.withdraw(number):
                write_all(self._fd, entry, offset)
            for offset, value in self._columns.place(number, row):
                write_all(self._fd, value, offset)
            write_all(self._fd, row.tobytes(), self._rows.place(number))

    def sync(self) -> None:
        """Put on the disk what was appended, then announce what was not. Raises StorageError.

        What is announced only here survives a power cut: its number is never on the disk
        before the images are.
        """
        if self._failure:
            raise StorageError(self._failure)
        with self._failing("is not safe on the disk"):
            self._write_pieces()
            if self._is_name_safe:
                os.fdatasync(self._fd)
            else:
                settle(self._fd, self.path)
                self._is_name_safe = True
            if self.count < self._staged:
                self._show()
                os.fdatasync(self._fd)
        self._unsynced = False

    def check_in_place(self) -> None:
        """Raise StorageError where the file is not under its name any more, or others damaged it."""
        check_in_place(self.path, self._fd)
        with failing(self.path, DAMAGED):
            self._stated.check()

    def finish(self, results: Mapping[str, Scalar]) -> None:
        """Enter the results (names of `places.RESULTS`), end the file where its content ends, close.

        All is on the disk then, its name too, unless the storage had failed before. Raises
        ValueError for a result without a field, before anything is written, and StorageError
        when the storage fails; the file is closed then too.
        """
        writes = self._results.encode(results, self._staged)
        failed = self._failure
        if self._fd < 0:  # the number may be another file's by now
            raise StorageError(failed)
        try:
            if not failed and self._unsynced:
                self.sync()
            # Nothing is entered in what is not ours any more.
            with failing(self.path, "cannot be finished"):
                self._stated.check()
            self._write_end(writes, durable=not failed)
        finally:
            self.close()

    def _write_end(self, writes: list[tuple[int, bytes]], *, durable: bool) -> None:
        """Enter the results, `durable` with all else on the disk; a file that cannot be ended says so."""
        try:
            self._stated.settle(self._end, durable=durable)
            write_results(self._fd, writes)
            if durable:
                settle(self._fd, self.path)
        except OSError as error:
            reason = f"{self.path} cannot be finished: {error.strerror or error}"
            enter_failure(self._fd, self._results, reason)
            raise StorageError(reason) from error

    def close(self) -> None:
        """Give up the file as it is; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self._failure = self._failure or f"{self.path} is closed"
            close(fd, self.path)

    def _check(self, payloads: Sequence[Buffer | None], rows: np.ndarray[Any, Any]) -> list[int]:
        if self._failure:
            raise StorageError(self._failure)
        images, rest = divmod(len(payloads), self._datasets)
        if rows.dtype != self._row_dtype or rows.shape != (images,) or rest:
            raise ValueError(
                f"metadata of shape {rows.shape} and type {rows.dtype} for {len(payloads)} images in "
                f"{self._datasets} datasets: expected ({images},) of {self._row_dtype}"
            )
        if self._staged + images > CAPACITY:
            raise ValueError(f"{self.path} cannot hold more than {CAPACITY} images")
        return payload_sizes(payloads, self._plan)

    def _tail(self) -> Tail:
        return Tail(self._end, self._plan.block_size)

    def _add_extra(self, tail: Tail, first: int, extra: np.ndarray[Any, Any]) -> tuple[int, bytes]:
        """As `RowStore.add`, of values whose images count from `first`."""
        if not len(extra):
            return 0, b""
        moved = extra.copy()
        moved["image"] += first
        return self._extra.add(moved, tail)

    def _gather(self, tail: Tail, in_place: Sequence[tuple[int, bytes]]) -> None:
        """Keep the small pieces of an append, all of them for what the file had before."""
        for offset, data in in_place:
            self._pieces.extend(offset, data)
        self._gather_nodes(tail, self._indices)

    def _gather_nodes(self, tail: Tail, indices: Iterable[tuple[ChunkIndex, DatasetPlaces]]) -> None:
        for index, places in indices:
            for address, node in index.touched.items():
                if address < tail.start:
                    # A copy: entries of an append that fails are not among what may still be shown.
                    self._pieces.put(address, bytes(node.written))
            index.settle()
            if index.count and places not in self._named:
                self._named.add(places)
                self._pieces.put(places.index, ADDRESS.pack(index.root))

    def _write_pieces(self) -> None:
        for offset, values in self._columns.take():
            self._pieces.put(offset, values)
        self._pieces.write(self._fd)

    def _show(self) -> None:
        if self.count < self._staged:
            self._show_extra()
            # The first dataset of images last: who sees an image there finds it in the others.
            for places in (*self._columns_places, self._rows_places, *reversed(self._images_places)):
                write_all(self._fd, ADDRESS.pack(self._staged), places.extent)
            self.count = self._staged

    def _show_extra(self) -> None:
        if self._extra_shown < self._extra.count:
            self._extra_shown = self._extra.count
            write_all(self._fd, ADDRESS.pack(self._extra_shown), self._extra_places.extent)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """After an error of the storage within the block the file takes no more."""
        try:
            yield
        except OSError as error:
            self._failure = f"{self.path} {what}: {error.strerror or error}"
            raise StorageError(self._failure) from error
