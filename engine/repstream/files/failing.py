"""An error of the storage in the words of the file that it happened to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from repstream.errors import StorageError


@contextmanager
def failing(name: object, what: str) -> Iterator[None]:
    """An OSError within the block becomes a StorageError: `name`, `what` of it, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{name} {what}: {error.strerror or error}") from error
