"""The end of the file that the superblock states, while the file grows."""

from __future__ import annotations

import os

from repstream.files.layout import ADDRESS, END_OF_FILE
from repstream.files.raw_io import write_all


class StatedEnd:
    """Keeps the stated end `ahead` bytes and more ahead of the content, which ends at `end` now.

    A reader holds the end it saw when it opened the file and refuses what lies beyond it.
    Ahead of the content it covers what comes until the reader looks at the number of images;
    the room is a hole, takes no space, and goes when the file ends.

    The real size runs further ahead: a reader asks for it before it reads the stated end,
    and refuses a file that has become shorter than stated in between.

    Raises OSError as the system gives it.
    """

    def __init__(self, fd: int, end: int, ahead: int) -> None:
        self._fd = fd
        self._claimed = end
        self._ahead = ahead

    def claim(self, end: int) -> None:
        """The content ends at `end` now."""
        if end + self._ahead > self._claimed:
            claimed = end + 2 * self._ahead
            try:
                os.ftruncate(self._fd, claimed + 4 * self._ahead)
            except OSError:  # a limit on file sizes: then the end is stated as it is
                claimed = end
            write_all(self._fd, ADDRESS.pack(claimed), END_OF_FILE)
            self._claimed = claimed

    def settle(self, end: int) -> None:
        """Nothing more comes: let the file end with its content."""
        write_all(self._fd, ADDRESS.pack(end), END_OF_FILE)
        os.ftruncate(self._fd, end)
