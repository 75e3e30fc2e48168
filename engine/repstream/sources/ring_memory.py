"""The shared memory of a ring buffer that another process makes, cuts and makes anew as it likes."""

from __future__ import annotations

import mmap
import os
from pathlib import Path


class RingMemory:
    """The segment at `path`, which need not be there yet; read only.

    What lies in it is read from the file rather than from the mapping where it has to be known whole: a
    mapping that its owner has cut would end this process (SIGBUS).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity: tuple[int, int] | None = None
        self.name = str(path)
        self._fd: int | None = None
        self._mapped: mmap.mmap | None = None

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    @property
    def nbytes(self) -> int:
        """Its size now; 0 where it is not open."""
        return 0 if self._fd is None else os.fstat(self._fd).st_size

    def follow(self) -> bool:
        """Open the segment where it is new; False where it took the place of another."""
        try:
            there = os.stat(self.name)  # noqa: PTH116 - for each image, so without the cost of a Path
        except OSError:
            # Unlinked by its producer: what was published before is still in it.
            return True
        if (there.st_dev, there.st_ino) == self.identity:
            return True
        try:
            fd = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return True
        is_first = self.identity is None
        self.close()
        found = os.fstat(fd)
        self._fd, self.identity = fd, (found.st_dev, found.st_ino)
        return is_first

    def mapped(self) -> mmap.mmap:
        """All of it. Raises OSError or ValueError where it cannot be mapped; it must be open."""
        assert self._fd is not None
        if self._mapped is None:
            self._mapped = mmap.mmap(self._fd, 0, prot=mmap.PROT_READ)
        return self._mapped

    def unmap(self) -> None:
        """Map it anew the next time: it had another size."""
        self._mapped = None

    def read_into(self, memory: memoryview, offset: int) -> bool:
        """Fill `memory` from `offset` on; False where the segment ends before, or is not open."""
        if self._fd is None:
            return False
        while memory:
            count = os.preadv(self._fd, [memory], offset)
            if not count:
                return False
            memory, offset = memory[count:], offset + count
        return True

    def close(self) -> None:
        """Let go of it; views of the mapping stay."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = self._mapped = None
