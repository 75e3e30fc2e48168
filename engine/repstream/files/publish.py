"""A new file that appears whole under its name, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from repstream.errors import StorageError
from repstream.files import fence, locks
from repstream.files.failing import failing
from repstream.files.intact import check_intact
from repstream.files.raw_io import write_all
from repstream.files.users import acting_as

DAMAGED = "is damaged"
"""What is wrong with a file that another program cut or wrote over."""


def publish(
    path: Path,
    data: bytes,
    replace: Callable[[], bool],
    user_id: int = 0,
    start: fence.Start | None = None,
) -> int:
    """Write `data` to a new file, give it the name `path`, return its open descriptor.

    The file is made under a hidden name in the same folder and gets its own name in one step.
    A file that has the name already stays untouched unless `replace()`, asked at the last
    moment, says that it may go; no other writer names a file in the folder between that and the
    replacement. `start`: which one of the engine this is; one that was followed by another names no file
    any more. Raises StorageError with the reason.
    """
    hidden = path.parent / f".repstream-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        with acting_as(user_id):
            return _publish(path, hidden, data, replace, start)
    except FileExistsError as error:
        raise StorageError(
            f"{path} exists and stays as it is: choose another name or allow overwriting"
        ) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror or error}") from error


def may_overwrite(path: Path) -> bool:
    """True, unless somebody is writing the file `path`: then StorageError says so."""
    if locks.is_written(path):
        raise StorageError(f"{path} is being written and stays as it is: choose another name")
    return True


def is_same_file(path: Path, state: os.stat_result) -> bool:
    """Whether the name `path` still stands for the file that had this `state`."""
    try:
        return os.path.samestat(path.lstat(), state)
    except FileNotFoundError:
        return False


def check_in_place(path: Path, fd: int) -> None:
    """Raise StorageError where the name no longer stands for the file that is open as `fd`."""
    with failing(path, "can no longer be found"):
        there = is_same_file(path, os.fstat(fd))
    if not there:
        raise StorageError(f"{path} was removed, renamed or replaced while it was written")


def check_unchanged(path: Path, fd: int, head: bytes, size: int) -> None:
    """As `check_in_place`, and where another program cut the file or wrote over its beginning."""
    check_in_place(path, fd)
    with failing(path, DAMAGED):
        check_intact(fd, head, size)


def settle(fd: int, path: Path) -> None:
    """Return when the file and its name are on the disk. Raises OSError as the system gives it."""
    os.fsync(fd)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def close_stored(fd: int, path: Path) -> None:
    """Close a file that is complete, with it and its name on the disk. Raises StorageError."""
    with failing(path, "cannot be stored"):
        try:
            settle(fd, path)
        finally:
            os.close(fd)


def _publish(
    path: Path, hidden: Path, data: bytes, replace: Callable[[], bool], start: fence.Start | None
) -> int:
    fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        locks.hold(fd, path)
        write_all(fd, data, 0)
        with fence.passing(path.parent, start):
            if replace():
                hidden.replace(path)
            else:
                os.link(hidden, path)
                hidden.unlink()
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            hidden.unlink()
        raise
    return fd
