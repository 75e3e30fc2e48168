"""The conversation of a data plane with its service, which another service may take up."""

from __future__ import annotations

import logging
import os
import socket
import struct
import time
from multiprocessing.connection import Connection

from repstream.dataplane import control
from repstream.dataplane.outbox import Outbox
from repstream.files.fence import Start

log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group at the other end of a Unix socket, as Linux gives them."""


def meeting_place(start: Start) -> str:
    """Where a data plane of this engine waits: a name that the kernel forgets when its process ends."""
    return f"\0repstream/{start.identity}"


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process at the other end of a Unix socket, and its user."""
    size = _CREDENTIALS.size
    process, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return process, user


class Line:
    """The pipe to the service; where that ends without a farewell, another service may take it up.

    `start`: whose data plane this is. It waits for `patience` seconds; with 0, or where nobody counts
    starts, it does not.
    """

    def __init__(self, pipe: Connection, start: Start | None = None, patience: float = 0.0) -> None:
        self.pipe = pipe
        self.start = start
        self.outbox: Outbox[control.Notice] = Outbox(pipe, control.notices.send)
        self._patience = patience
        self._place: socket.socket | None = None
        self._until: float | None = None
        if start is not None and patience > 0:
            place = socket.socket(socket.AF_UNIX)
            try:
                place.bind(meeting_place(start))
            except OSError as error:
                log.warning("no other service can take this data plane up: %s", error.strerror)
                place.close()
                return
            place.listen(1)
            place.setblocking(False)
            self._place = place

    @property
    def is_lost(self) -> bool:
        """Whether there is no service, and another one is awaited."""
        return self._until is not None

    @property
    def descriptor(self) -> int:
        """What can be read when there is something to do."""
        return self._place.fileno() if self.is_lost and self._place is not None else self.pipe.fileno()

    @property
    def is_given_up(self) -> bool:
        """Whether no other service has come in time."""
        return self._until is not None and time.monotonic() >= self._until

    def lose(self) -> bool:
        """The service is gone; whether another one is awaited now."""
        if self._place is None:
            return False
        self._until = time.monotonic() + self._patience
        log.warning("the service is gone; another one may take this over within %.0f s", self._patience)
        return True

    def take_up(self) -> bool:
        """Let in who waits at the place; whether that is a service of the same user."""
        assert self._place is not None
        try:
            connection, _ = self._place.accept()
        except OSError:
            return False  # who came has gone again
        if peer_of(connection)[1] != os.geteuid():
            connection.close()
            return False
        self.pipe.close()
        self.pipe, self._until = Connection(connection.detach()), None
        self.outbox = Outbox(self.pipe, control.notices.send, answers_first=True)
        return True

    def close(self) -> None:
        """Hang up, and wait for nobody any more."""
        self.pipe.close()
        if self._place is not None:
            self._place.close()
