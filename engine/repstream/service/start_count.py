"""How often the data plane of an engine was started, kept from one start of the service to the next."""

from __future__ import annotations

import logging
import os
import platform
import uuid
from typing import TextIO

from repstream.files.fence import Start

log = logging.getLogger(__name__)


class StartCount:
    """Counts in `file`, which is open for reading and writing, and nobody else's while it is.

    The count goes with an identity that is made with the first one: a file that was lost begins another
    engine, not an earlier start of this one.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        file.seek(0)
        words = file.read().split()
        known = len(words) == 2 and words[1].isdecimal()
        self.identity, self._number = (words[0], int(words[1])) if known else (uuid.uuid4().hex, 0)

    @property
    def now(self) -> Start:
        """The start that goes on."""
        return Start(self.identity, self._number, platform.node() or "localhost")

    def next(self) -> Start:
        """One more, kept before it is returned as far as the storage allows it."""
        self._number += 1
        try:
            self._file.seek(0)
            # Never shorter than before: nothing of the last one is left behind it.
            self._file.write(f"{self.identity} {self._number}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            log.error("start %d is not kept in %s: %s", self._number, self._file.name, error.strerror)
        return self.now
