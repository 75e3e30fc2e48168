"""The last lines of the server's log, for who asks for them over HTTP."""

from __future__ import annotations

import logging
from collections import deque

from repstream.instances.description import LogRecord

LENGTH = 500


class KeptLog(logging.Handler):
    """Keeps the last `LENGTH` lines of all loggers between `open` and `close`."""

    def __init__(self) -> None:
        super().__init__()
        self._records: deque[LogRecord] = deque(maxlen=LENGTH)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:
            self.handleError(record)
            return
        self._records.append(LogRecord(record.created, record.name, record.levelname, text))

    def lines(self) -> list[LogRecord]:
        """Them, the oldest first."""
        return list(self._records)

    def open(self) -> None:
        logging.root.addHandler(self)

    def close(self) -> None:
        logging.root.removeHandler(self)
        super().close()
