"""One append to a growing file, in the order that leaves it valid between any two writes.

What is new comes to the end of the file first, then what goes into room that exists, then the entries of
the indices. Readers look at none of it until the extents follow, which is the caller's last step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repstream.files.chunk_index import ChunkIndex
from repstream.files.growing import Tail
from repstream.files.layout import ADDRESS, DatasetPlaces
from repstream.files.raw_io import write_all, write_buffers
from repstream.files.stated_end import StatedEnd


def append(
    fd: int,
    stated: StatedEnd,
    tail: Tail,
    in_place: Iterable[tuple[int, bytes]],
    indices: Mapping[DatasetPlaces, ChunkIndex],
    *,
    first: bool,
) -> None:
    """Write all but the extents; the `first` append names the roots. Raises OSError."""
    stated.make_room(tail.end)
    write_buffers(fd, tail.buffers, tail.sizes, tail.start)
    stated.claim(tail.end)
    for offset, data in in_place:
        write_all(fd, data, offset)
    for places, index in indices.items():
        for address, node in index.touched.items():
            if address < tail.start:
                write_all(fd, node.written, address)
        index.settle()
        if first:
            write_all(fd, ADDRESS.pack(index.root), places.index)
