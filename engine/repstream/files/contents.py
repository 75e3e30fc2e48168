"""What is in an HDF5 file of anybody, as plain values: its datasets, and the rows of its metadata."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from repstream.errors import StorageError
from repstream.files.confinement import check_confined
from repstream.files.part_files import SHOWN_ROWS
from repstream.files.reader import ROWS, open_file

MOST_DATASETS = 2000
"""Datasets that are listed, at most."""

MOST_BYTES = 64 * 2**20
"""Bytes of rows that are read at once, at most."""

LONGEST_ATTRIBUTE = 1000
"""Elements of an attribute that are listed, at most."""


def datasets(path: Path) -> list[dict[str, Any]]:
    """Name, shape, pixel or value type, number of elements and attributes of each dataset.

    Links into other files are not followed. Raises StorageError.
    """
    found: list[dict[str, Any]] = []

    def look(name: str, item: h5py.HLObject) -> bool | None:
        if isinstance(item, h5py.Dataset):
            found.append(
                {
                    "name": name,
                    "shape": list(item.shape or ()),
                    "dtype": str(item.dtype),
                    "size": int(item.size or 0),
                    "metadata": _attributes(item),
                }
            )
        return True if len(found) >= MOST_DATASETS else None

    with open_file(path) as file:
        try:
            file.visititems(look)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise StorageError(f"{path} cannot be looked through: {error}") from error
    return found


def rows(path: Path, first: int, number: int, roots: Sequence[Path]) -> tuple[int, list[dict[str, Any]]]:
    """How many rows the metadata has, and `number` of them from `first` on, fewer where they are large.

    The metadata are those of a virtual dataset, of our files, or of the first group that has some.
    Raises StorageError, also where they lie in a file that is not below `roots`.
    """
    with open_file(path) as file:
        try:
            found = next(_metadata(file, roots), None)
            if found is None or not found.dtype.names or found.ndim != 1:
                raise StorageError(f"{path} has no metadata: a dataset of rows such as {SHOWN_ROWS}")
            most = max(1, MOST_BYTES // max(found.dtype.itemsize, 1))
            part = found[first : first + min(number, most)]
            return len(found), [{name: _plain(row[name]) for name in found.dtype.names or ()} for row in part]
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise StorageError(f"{path}: its metadata cannot be read: {error}") from error


def _metadata(file: h5py.File, roots: Sequence[Path]) -> Iterator[h5py.Dataset]:
    for name in (SHOWN_ROWS, ROWS, *(f"{name}/metadata" for name in file)):
        check_confined(file, name, roots)
        if isinstance(item := file.get(name), h5py.Dataset):
            yield item


def _attributes(item: h5py.HLObject) -> dict[str, Any]:
    found = {}
    for name in item.attrs:
        try:
            found[name] = _plain(item.attrs[name])
        except (OSError, TypeError, ValueError):  # of a type that numpy has none for
            found[name] = None
    return found


def _plain(value: Any) -> Any:
    """A value as JSON has it; what it has no form for as text."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()[:LONGEST_ATTRIBUTE]]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
