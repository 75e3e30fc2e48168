"""Images that a thread of this process makes: a simulation, a file that is replayed, a user's script."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from repstream.errors import RepstreamError
from repstream.sources.inbox import InboxSource

log = logging.getLogger(__name__)

WAITING = 4
"""Images that wait for the loop; one that is later than these makes the oldest give way."""

END_TIME = 2.0
"""Seconds that the thread has to end."""


class MadeSource(InboxSource):
    """Messages from an iterator that takes its time, run by a thread; fills `Source`.

    `stop` is set at the end, for the iterator to heed. What it raises is the `problem`, and the end of the
    images.
    """

    def __init__(self, messages: Iterator[Sequence[Any]], stop: threading.Event) -> None:
        super().__init__(WAITING)
        self._messages = messages
        self._stop = stop
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return not self.problem

    def update(self) -> None:
        """Nobody comes or goes."""

    def close(self) -> None:
        self._stop.set()
        self._thread.join(END_TIME)
        self._inbox.close()

    def _run(self) -> None:
        try:
            for message in self._messages:
                self._inbox.put(message)
                if self._stop.is_set():
                    return
        except Exception as error:  # a user's script among them: the camera says it, and lives
            log.exception("a source failed and makes no more images")
            known = isinstance(error, RepstreamError)
            self.problem = str(error) if known else f"{type(error).__name__}: {error}"
