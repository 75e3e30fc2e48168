"""The lock by which a file that is being written refuses a second writer, and no reader.

HDF5 asks for a shared lock (``flock(2)``) to read and for an exclusive one to write. A shared lock
held by the writer therefore lets every reader in and turns away who opens the file to change it.
Readers and writers that do not lock (``locking=False``, ``HDF5_USE_FILE_LOCKING=FALSE``)
are not bound by it, nor is anybody where the file system knows no locks: `intact` is for these.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

import h5py

from repstream.files.nexus.places import ACQUISITION, UNFINISHED

log = logging.getLogger(__name__)

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def hold(fd: int, path: Path) -> None:
    """Keep the lock until `fd` is closed; a file system without locks is written to without one."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        log.info("%s is written without a lock: %s", path, error.strerror)


def is_written(path: Path) -> bool:
    """Whether somebody is writing the file `path`, as far as locks show.

    An unfinished file of this project counts as written while anybody holds a lock on it: one that
    was killed has none, unless a reader holds it.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _is_refused(fd, fcntl.LOCK_SH) or (_is_unfinished(path) and _is_refused(fd, fcntl.LOCK_EX))
    finally:
        os.close(fd)


def _is_refused(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    return False


def _is_unfinished(path: Path) -> bool:
    try:
        with h5py.File(path, "r", locking=False) as file:
            return bool(file[f"{ACQUISITION}/outcome"][()] == UNFINISHED.encode())
    except (OSError, KeyError, RuntimeError):
        return False
