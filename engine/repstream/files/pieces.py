"""Small changes to what a file holds already, gathered until they are due."""

from __future__ import annotations

from repstream.files.raw_io import write_all


class Pieces:
    """Bytes by the offsets that they go to; a later piece at the same offset takes the place of the first.

    The order of writing is not kept, so none of them may be what readers look at first.
    """

    def __init__(self) -> None:
        self._pieces: dict[int, bytes | bytearray] = {}
        self._run = bytearray()
        self._end = -1

    def put(self, offset: int, data: bytes) -> None:
        self._pieces[offset] = data

    def extend(self, offset: int, data: bytes) -> None:
        """As `put`, of what mostly goes right behind the last that came so: they are written as one."""
        if not data:
            return
        if offset == self._end:
            self._run += data
        else:
            self._pieces[offset] = self._run = bytearray(data)
        self._end = offset + len(data)

    def write(self, fd: int) -> None:
        """Write all and forget them. Raises OSError; nothing is forgotten then."""
        for offset, data in self._pieces.items():
            write_all(fd, data, offset)
        self._pieces.clear()
        self._end = -1
