"""What one append adds to a file, worked out before anything is written. No input or output."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from repstream.files.chunk_index import ChunkIndex
from repstream.files.compression import PREFIX_BYTES
from repstream.files.plan import FilePlan
from repstream.files.raw_io import Buffer

PAGE = 4096
LARGE = 1 << 20
"""An image of at least this many bytes begins at a page."""

EVEN = 1 << 16
"""So does one of at least this many bytes that takes whole pages, since then the next one does, too."""


def place_of(end: int, nbytes: int, block: int) -> int:
    """Where an image of `nbytes` bytes begins at `end` or behind.

    It crosses as few boundaries between blocks of `block` bytes as it can; 0: they do not matter.
    """
    begin = end + -end % alignment_of(nbytes)
    into = begin % block if block else 0
    return begin + block - into if into and into + nbytes > block else begin


def alignment_of(nbytes: int) -> int:
    """Where an image begins: at a multiple of this.

    The kernel copies whole pages faster, and takes 1.6 times as long where both ends begin a few bytes
    apart within theirs.
    """
    return PAGE if nbytes >= LARGE or (nbytes >= EVEN and not nbytes % PAGE) else 1


class Tail:
    """The buffers that come to the end of the file, in order, none of them copied.

    A buffer that is None is a hole. `block` as in `place_of`.
    """

    __slots__ = ("block", "buffers", "end", "sizes", "start")

    def __init__(self, start: int, block: int = 0) -> None:
        self.start = self.end = start
        self.block = block
        self.buffers: list[Buffer | None] = []
        self.sizes: list[int] = []

    def put(self, buffer: Buffer, nbytes: int, align: int = 1) -> int:
        """Place `buffer` of `nbytes` bytes at the end, at a multiple of `align`; return its address."""
        return self._put_at(self.end + -self.end % align, buffer, nbytes)

    def put_run(self, buffers: Sequence[Buffer], nbytes: int) -> int:
        """Place buffers of `nbytes` bytes each one behind the other; return the address of the first."""
        address = self.put(buffers[0], nbytes, alignment_of(nbytes))
        self.buffers += buffers[1:]
        self.sizes += [nbytes] * (len(buffers) - 1)
        self.end = address + nbytes * len(buffers)
        return address

    def put_image(self, payload: Buffer, nbytes: int) -> int:
        """Place an image."""
        return self._put_at(place_of(self.end, nbytes, self.block), payload, nbytes)

    def put_node(self, node: bytearray) -> int:
        """Place an index node at a multiple of 8, so that its addresses change in one piece."""
        return self.put(node, len(node), 8)

    def _put_at(self, address: int, buffer: Buffer, nbytes: int) -> int:
        gap = address - self.end
        if gap:
            self.buffers.append(bytes(gap) if gap <= PAGE else None)
            self.sizes.append(gap)
        self.buffers.append(buffer)
        self.sizes.append(nbytes)
        self.end = address + nbytes
        return address


class RowStore:
    """Rows of one type and shape, in chunks that get their place when their first row comes.

    `count`: how many there are.
    """

    def __init__(self, dtype: np.dtype[Any], rows_per_chunk: int, shape: tuple[int, ...] = ()) -> None:
        self.index = ChunkIndex((rows_per_chunk, *shape))
        self._itemsize = dtype.itemsize * math.prod(shape)
        self._rows_per_chunk = rows_per_chunk
        self.count = 0
        self._chunks = array("Q")

    def add(self, rows: np.ndarray[Any, Any], tail: Tail) -> tuple[int, bytes]:
        """Take rows; return (offset, bytes) of those that go into room the file already has."""
        data = rows.tobytes()
        size, taken, in_place = self._itemsize, 0, (0, b"")
        while taken < len(data):
            row = self.count % self._rows_per_chunk
            piece = data[taken : taken + (self._rows_per_chunk - row) * size]
            if row:
                in_place = (self._chunks[-1] + row * size, piece)
            else:
                chunk = piece.ljust(self._rows_per_chunk * size, b"\0")
                self._chunks.append(tail.put(chunk, len(chunk)))
                self.index.add(self._chunks[-1], len(chunk), tail.put_node)
            taken += len(piece)
            self.count += len(piece) // size
        return in_place

    def place(self, number: int) -> int:
        """The offset in the file of a row that was added."""
        chunk, row = divmod(number, self._rows_per_chunk)
        return self._chunks[chunk] + row * self._itemsize


def payload_sizes(payloads: Sequence[Buffer | None], plan: FilePlan) -> list[int]:
    """Size of each payload in bytes, checked against the plan; 0 for one that is None.

    Raises ValueError for a payload that is not contiguous or not one image of the plan: of
    another size or, compressed, with another size in its first eight bytes (big-endian).
    """
    expected = plan.image_nbytes
    if plan.compression == "none" and set(map(type, payloads)) == {bytes}:
        sizes = list(map(len, payloads))  # type: ignore[arg-type]
        if sizes.count(expected) == len(sizes):
            return sizes
    sizes = []
    for payload in payloads:
        if payload is None:
            sizes.append(0)
            continue
        view = memoryview(payload)
        if not view.c_contiguous:
            raise ValueError("a payload is not contiguous in memory: it cannot be written without a copy")
        found = view.nbytes
        if plan.compression != "none":
            prefix = bytes(np.frombuffer(payload, np.uint8, min(8, view.nbytes)))
            found = int.from_bytes(prefix, "big") if view.nbytes > PREFIX_BYTES else 0
        if found != expected:
            raise ValueError(f"a payload holds {found} bytes of pixels: expected {expected}")
        sizes.append(view.nbytes)
    return sizes
