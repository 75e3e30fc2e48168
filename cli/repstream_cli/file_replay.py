"""The images of an HDF5 file as messages, to be sent again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from repstream.errors import StorageError
from repstream.files.plan import MISSING
from repstream.files.reader import FileReader
from repstream.files.row_status import STATUS_WORDS, STD_DAQ, put_ours
from repstream.sources.images import Image
from repstream.sources.simulation import Parts

BATCH = 256
"""Rows of metadata that are read at once."""


def image_bytes(path: Path) -> int:
    """Size of an image of the file in bytes. Raises `StorageError` where there is none."""
    with FileReader(path) as reader:
        height, width = reader.shape
        if not reader.count:
            raise StorageError(f"{path} has no image")
        return height * width * reader.dtype.itemsize


def replayed(
    path: Path, number: int | None, first: int | None, encode: Callable[[int, Image], Parts]
) -> Iterator[tuple[int, Parts]]:
    """(id, message) of each image in the file, in order; blank places are left out.

    `number` of them, beginning again at the end of the file; 0 goes on without end, None is the
    file once. `first` renumbers them from there on; None keeps the ids of the file (its
    counting from 0 where it has none). Pixels are sent little-endian. Raises `StorageError`.
    """
    numbers = itertools.count(first or 0)
    with FileReader(path) as reader:
        turns = itertools.count() if number is not None else range(1)
        images = ((n, frame_id) for _ in turns for n, frame_id in _ids(reader))
        for n, frame_id in itertools.islice(images, number or None):
            sent = frame_id if first is None else next(numbers)
            image = reader.image(n)
            yield sent, encode(sent, image.astype(image.dtype.newbyteorder("<"), copy=False))


def _ids(reader: FileReader) -> Iterator[tuple[int, int]]:
    """(number, id) of each image that is there."""
    for begin in range(0, reader.count, BATCH):
        rows = reader.rows(begin, begin + BATCH)
        if rows is not None and reader.result(STATUS_WORDS) == STD_DAQ:
            put_ours(rows)
        for n in range(begin, min(begin + BATCH, reader.count)):
            if rows is None:
                yield n, n
            elif rows["status"][n - begin] != MISSING:
                yield n, int(rows["image_id"][n - begin])
