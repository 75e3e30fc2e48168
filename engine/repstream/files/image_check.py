"""Whether single images of a file are still what was written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from repstream.errors import MalformedMessage
from repstream.files import checksum
from repstream.files.nexus.places import STORED_AS
from repstream.files.plan import GOOD
from repstream.lifetime import Closing
from repstream.messages import compression

_BITSHUFFLE = 32008
_BLOCK = 4096
"""A hole consists of whole blocks of a file system, of this many bytes."""
_ALGORITHM, _ZSTD = 4, 3
"""Which of the filter's values names what compresses, and the one for Zstandard."""


class ImageCheck(Closing):
    """Looks at the images of one dataset; called with a number it says what is wrong, or nothing.

    Images that are stored as this project does it, one a chunk, plain or as filter 32008
    stores them, are read from the file itself; compressed ones are walked before they are
    unpacked, since the filter believes what a damaged one says of its lengths. Others, such as
    those of a file that was repacked, are read by the library.

    A plain image without a checksum whose place is a hole was announced and not stored, or zeroed by
    others. Some copies and file systems turn zeros into holes: then only a checksum distinguishes them.

    `rows` is the metadata, if there is any, `status` and `checksum_member` the members that count for this
    dataset; `facts` those of the acquisition. Checksums are of images
    as they were stored when written, so they count only where they still are. A context manager.
    """

    def __init__(
        self,
        path: Path,
        images: h5py.Dataset,
        rows: NDArray[Any] | None,
        facts: Mapping[str, Any],
        *,
        status: str = "status",
        checksum_member: str = checksum.MEMBER,
    ) -> None:
        self._images = images
        self._itemsize = images.dtype.itemsize
        self._nbytes = int(np.prod(images.shape[1:])) * self._itemsize
        creation = images.id.get_create_plist()
        filters = [creation.get_filter(n)[0] for n in range(creation.get_nfilters())]
        self._compressed = filters == [_BITSHUFFLE]
        self._encoding = "bitshuffle_lz4"
        if self._compressed and creation.get_filter(0)[2][_ALGORITHM:][:1] == (_ZSTD,):
            self._encoding = "bitshuffle_zstd"
        own = images.chunks == (1, *images.shape[1:]) and filters in ([], [_BITSHUFFLE])
        self._stored: dict[int, tuple[int, int]] = {}
        if own:
            images.id.chunk_iter(self._note)
        self._blank: frozenset[int] = frozenset()
        if rows is not None and status in (rows.dtype.names or ()):
            self._blank = frozenset(np.flatnonzero(rows[status] != GOOD).tolist())
        self._check = self._check_stored if own else self._check_by_library
        self._sum: Callable[[Any], int] | None = None
        kind, members = str(facts.get("checksum", "")), () if rows is None else rows.dtype.names or ()
        as_written = facts.get(STORED_AS) == (self._encoding if self._compressed else "none")
        if own and as_written and rows is not None and kind in checksum.DTYPES and checksum_member in members:
            self._sum, self._sums = checksum.function(kind), rows[checksum_member]
        self.how = kind if self._sum else "readable"
        self._file = path.open("rb", buffering=0)

    def close(self) -> None:
        self._file.close()

    def __call__(self, number: int) -> str:
        return self._check(number)

    def _check_by_library(self, number: int) -> str:
        try:
            self._images[number]
        except OSError as error:
            return f"cannot be read: {error}"
        return ""

    def _check_stored(self, number: int) -> str:
        if number not in self._stored:
            return "not in the index of the file"
        offset, size = self._stored[number]
        try:
            data = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if len(data) != size:
            return f"ends after {len(data)} of {size} bytes"
        if not self._compressed and size != self._nbytes:
            return f"{size} bytes are stored, an image has {self._nbytes}"
        if self._sum is not None:
            return (
                "" if number < len(self._sums) and self._sum(data) == self._sums[number] else "wrong checksum"
            )
        if self._compressed:
            return self._unpack(data)
        if number not in self._blank and self._is_hole(offset, size):
            return "was never stored: its place is a hole in the file"
        return ""

    def _is_hole(self, offset: int, size: int) -> bool:
        """Whether the file system keeps nothing of these bytes, but for blocks that others share."""
        first, stop = -(-offset // _BLOCK) * _BLOCK, (offset + size) // _BLOCK * _BLOCK
        if first >= stop:
            first, stop = offset, offset + size
        try:
            return os.lseek(self._file.fileno(), first, os.SEEK_DATA) >= stop
        except OSError as error:
            return error.errno == errno.ENXIO

    def _unpack(self, data: bytes) -> str:
        try:
            compression.decompress(data, self._encoding, self._nbytes, self._itemsize)
        except MalformedMessage as error:
            return error.detail
        return ""

    def _note(self, chunk: Any) -> None:
        self._stored[chunk.chunk_offset[0]] = (chunk.byte_offset, chunk.size)
