"""The columns of a growing file: room for them comes with the rows, their values follow later."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from repstream.files.chunk_index import ChunkIndex
from repstream.files.columns import Column
from repstream.files.growing import Tail

ROWS_PER_CHUNK = 1024


class ColumnStore:
    """Room for one value an image in each column, taken a chunk of all columns at a time.

    `indices`: the chunk index of each column. Values wait as the rows they are made from until they
    are asked for, so that a batch of images costs next to nothing.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.indices = [ChunkIndex((ROWS_PER_CHUNK,)) for _ in columns]
        self._columns = columns
        self._chunks = [array("Q") for _ in columns]
        self._room = self._written = 0
        self._waiting: list[np.ndarray[Any, Any]] = []

    def make_room(self, total: int, tail: Tail) -> bool:
        """Let there be room for `total` values in each; whether it had to be made."""
        before = self._room
        while self._room < total:
            for column, index, chunks in zip(self._columns, self.indices, self._chunks, strict=True):
                nbytes = ROWS_PER_CHUNK * column.dtype.itemsize
                chunks.append(tail.put(bytes(nbytes), nbytes))
                index.add(chunks[-1], nbytes, tail.put_node)
            self._room += ROWS_PER_CHUNK
        return self._room > before

    def keep(self, rows: np.ndarray[Any, Any]) -> None:
        """Take rows for which there is room."""
        self._waiting.append(rows)

    def take(self) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of what waits."""
        if not self._waiting:
            return
        # As bytes, since numpy compares the types of what it joins member by member.
        waiting = b"".join([rows.tobytes() for rows in self._waiting])
        rows = np.frombuffer(waiting, self._waiting[0].dtype)
        first, self._written = self._written, self._written + len(rows)
        self._waiting = []
        for chunk in range(first // ROWS_PER_CHUNK, -(-self._written // ROWS_PER_CHUNK)):
            begin = max(first, chunk * ROWS_PER_CHUNK)
            part = rows[begin - first : (chunk + 1) * ROWS_PER_CHUNK - first]
            yield from self.place(begin, part)

    def place(self, number: int, rows: np.ndarray[Any, Any]) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of the values of `rows`, which lie in one chunk from `number` on."""
        chunk, row = divmod(number, ROWS_PER_CHUNK)
        for column, chunks in zip(self._columns, self._chunks, strict=True):
            yield chunks[chunk] + row * column.dtype.itemsize, column.values(rows).tobytes()
