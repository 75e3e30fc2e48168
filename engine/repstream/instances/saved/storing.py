"""Files that appear whole or not at all, beside those that are there already."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from repstream.errors import StorageError


def replace(path: Path, data: bytes | memoryview) -> None:
    """Write a file, in place of one that has the name; raises `StorageError`."""
    with _written_beside(path, data) as beside:
        beside.replace(path)


def create(path: Path, data: bytes | memoryview) -> bool:
    """Write a new file; False, and nothing is done, where the name is taken. Raises `StorageError`."""
    try:
        with _written_beside(path, data) as beside:
            os.link(beside, path)
    except FileExistsError:
        return False
    return True


def folder(path: Path) -> Path:
    """The folder, made where it is not there; raises `StorageError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {path} cannot be made: {error.strerror}") from error
    return path


@contextmanager
def _written_beside(path: Path, data: bytes | memoryview) -> Iterator[Path]:
    beside = path.parent / f".repstream-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            beside.unlink()
