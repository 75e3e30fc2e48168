"""An error of the storage in the words of the file that it happened to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from repstream.errors import StorageError

_SYSTEM = re.compile(r"error message = '([^']+)'")
"""Where the HDF5 library has put the system's reason."""


@contextmanager
def failing(name: object, what: str) -> Iterator[None]:
    """An OSError within the block becomes a StorageError: `name`, `what` of it, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{name} {what}: {error.strerror or error}") from error


@contextmanager
def failing_in_library(name: object, what: str = "cannot be read") -> Iterator[None]:
    """As `failing`, for calls of h5py, whose errors are of four kinds where the storage fails."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise StorageError(f"{name} {what}: {library_reason(error)}") from error


def library_reason(error: Exception) -> str:
    """The system's reason in an error of h5py, else all that the library says."""
    found = _SYSTEM.search(str(error))
    return found[1] if found else str(error)
