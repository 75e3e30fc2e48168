"""A part, or the metadata of all, written by a service that runs for longer than one acquisition.

It listens at a Unix socket. A data plane that connects gets a thread of its own here, which does what
a process that the data plane starts would do: so one acquisition may still be closed while the next begins.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from repstream.errors import Refused

PATIENCE = 10.0
"""Seconds that files may take to be closed when the service ends."""

log = logging.getLogger(__name__)


class PartService:
    """Listens at `path`; `work` does what comes through a pipe until that ends.

    Only processes of the same user, and of root, may connect. Raises `Refused` where another service
    listens there already, or nobody can.
    """

    def __init__(self, path: Path, work: Callable[[Connection], None]) -> None:
        self._path = path
        self._work = work
        self._pipes: dict[threading.Thread, socket.socket] = {}
        self._socket = _listening(path)
        threading.Thread(target=self._run, name="part service", daemon=True).start()

    def close(self) -> None:
        """Listen no more; files that are open end as unfinished, with all that has come."""
        with suppress(OSError):
            self._path.unlink()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread, end in list(self._pipes.items()):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            thread.join(PATIENCE)

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            process_id, user_id, _ = struct.unpack("3i", credentials)
            if user_id not in (0, os.geteuid()):
                log.warning(
                    "process %d of user %d may not write here: only user %d and root may",
                    process_id,
                    user_id,
                    os.geteuid(),
                )
                peer.close()
                continue
            thread = threading.Thread(target=self._serve, args=(peer,), name="part", daemon=True)
            self._pipes[thread] = peer
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with Connection(os.dup(peer.fileno())) as pipe, suppress(EOFError):
                self._work(pipe)
        finally:
            self._pipes.pop(threading.current_thread(), None)
            peer.close()


def _listening(path: Path) -> socket.socket:
    """A socket at `path`, which takes the place of one that a dead service left."""
    found = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(path))
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Refused(
                str(path), f"cannot be asked who listens there: {error.strerror}; remove it if nobody does"
            ) from error
        else:
            raise Refused(str(path), "another service listens there; end it, or give this one another number")
    try:
        found.bind(str(path))
        path.chmod(0o700)
        found.listen()
    except OSError as error:
        found.close()
        raise Refused(
            str(path), f"cannot listen there: {error.strerror}; give a folder that is writable"
        ) from error
    return found
