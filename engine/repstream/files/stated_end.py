"""The end of the file that the superblock states, while the file grows."""

from __future__ import annotations

import os
from contextlib import suppress

from repstream.files.intact import HEAD, check_intact
from repstream.files.layout import ADDRESS, END_OF_FILE
from repstream.files.raw_io import write_all


class StatedEnd:
    """Keeps the stated end `ahead` bytes and more ahead of the content, which is `image` now.

    A reader holds the end it saw when it opened the file and refuses what lies beyond it.
    Ahead of the content it covers what comes until the reader looks at the number of images;
    the room is a hole, takes no space, and goes when the file ends.

    The real size runs further ahead: a reader asks for it before it reads the stated end,
    and refuses a file that has become shorter than stated in between. It is made before what
    needs it is written and never falls, so a file that was cut by others in between shows it.

    Raises OSError as the system gives it, or where another program changed the file.
    """

    def __init__(self, fd: int, image: bytes, ahead: int) -> None:
        self._fd = fd
        self._head = bytearray(image[:HEAD])
        self._claimed = self._size = len(image)
        self._ahead = ahead

    def make_room(self, end: int) -> None:
        """The content will end at `end`: let the file be large enough, if it still is what it was."""
        if end + self._ahead > self._claimed:
            self.check()
            size = end + 6 * self._ahead
            with suppress(OSError):  # a limit on file sizes
                os.ftruncate(self._fd, size)
                self._size = size

    def claim(self, end: int) -> None:
        """The content, for which there is room, ends at `end` now."""
        if end + self._ahead > self._claimed:
            claimed = end + 2 * self._ahead
            self._state(claimed if claimed <= self._size else end)

    def check(self) -> None:
        """Raise OSError where another program cut the file or wrote over its beginning."""
        check_intact(self._fd, bytes(self._head), self._size)

    def settle(self, end: int, *, durable: bool = True) -> None:
        """Nothing more comes: let the file end with its content.

        No power cut leaves a file that ends before its stated end, unless not `durable`.
        """
        self._state(end)
        if durable:
            os.fdatasync(self._fd)
        os.ftruncate(self._fd, end)
        self._size = end

    def _state(self, end: int) -> None:
        write_all(self._fd, ADDRESS.pack(end), END_OF_FILE)
        ADDRESS.pack_into(self._head, END_OF_FILE, end)
        self._claimed = end
        self._size = max(self._size, end)
