"""Which start of an engine may name files in a folder, while an earlier one may still be alive.

A process that stood still (SIGSTOP, a host that was cut off) goes on where it was: it may have judged that
a file can be replaced, or find the request to make one in its pipe. Each start of a data plane therefore has
a number, the folder's `NAME` keeps the latest one of each engine, and the lock on it (``flock(2)``) is
one writer's for the moment in which a file gets its name.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from repstream.errors import StorageError
from repstream.files.failing import failing
from repstream.files.raw_io import read_all, write_all

log = logging.getLogger(__name__)

NAME = ".repstream.lock"
"""A line for each engine: its identity, the number of its latest start here, the host of that."""

PATIENCE = 5.0
"""Seconds to wait for a writer that names a file, which takes it less than a millisecond."""

_PAUSE = 0.01
_MOST_BYTES = 1 << 20


class Start(msgspec.Struct, frozen=True):
    """One start of a data plane: `number` counts those of the engine with this `identity`, from 1."""

    identity: str
    number: int
    host: str


@contextmanager
def passing(folder: Path, start: Start | None) -> Iterator[None]:
    """Within the block no other writer names a file in `folder`, and no earlier start will do so again.

    A `start` that nobody counts (None) passes unseen. Raises StorageError where a later start was here,
    or another writer does not leave.
    """
    if start is None:
        yield
        return
    path = folder / NAME
    with failing(path, "cannot be opened"):
        fd = _opened(path)
    try:
        _lock(fd, path)
        _enter(fd, path, start)
        yield
    finally:
        os.close(fd)


def check(folder: Path, start: Start | None) -> None:
    """Raise StorageError where a later start of the engine has named a file in `folder`."""
    if start is None:
        return
    path = folder / NAME
    with failing(path, "cannot be read"), suppress(FileNotFoundError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            starts = _starts(fd)
        finally:
            os.close(fd)
        _refuse_earlier(folder, start, starts)


def _opened(path: Path) -> int:
    while True:
        # Not made by the first call: in a folder with the sticky bit that would refuse what others made.
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        with suppress(FileExistsError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            # Whoever may write in the folder may pass.
            os.fchmod(fd, 0o600 | (stat.S_IMODE(path.parent.stat().st_mode) & 0o666))
            return fd


def _lock(fd: int, path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            pass
        except OSError as error:
            log.info("files beside %s are named without a lock: %s", path, error.strerror)
            return
        else:
            return
        if time.monotonic() >= end:
            raise StorageError(
                f"another writer has kept {path} locked for {PATIENCE:.0f} s and does not go on: end it "
                "(`fuser` shows which process it is), or choose another folder"
            )
        time.sleep(_PAUSE)


def _enter(fd: int, path: Path, start: Start) -> None:
    with failing(path, "cannot be written"):
        starts = _starts(fd)
        _refuse_earlier(path.parent, start, starts)
        if starts.get(start.identity) == start:
            return
        starts[start.identity] = start
        text = "".join(f"{each.identity} {each.number} {each.host}\n" for each in starts.values())
        write_all(fd, text.encode(), 0)
        os.ftruncate(fd, len(text.encode()))


def _starts(fd: int) -> dict[str, Start]:
    """The latest start of each engine; a line that a power cut left unfinished says nothing."""
    found = {}
    for line in read_all(fd, _MOST_BYTES, 0).decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdecimal():
            found[words[0]] = Start(words[0], int(words[1]), words[2])
    return found


def _refuse_earlier(folder: Path, start: Start, starts: dict[str, Start]) -> None:
    latest = starts.get(start.identity, start)
    if latest.number > start.number:
        raise StorageError(
            f"the engine was started anew on {latest.host} and writes in {folder}: this is its start "
            f"{start.number}, that one is {latest.number}; nothing more is written here"
        )
