"""The images of a three-dimensional dataset, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the filters that images are packed with)
import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError


class ImageStack:
    """A dataset of images (number, height, width), open for reading.

    Raises `StorageError` where the file or the dataset is not there, or has other dimensions.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise StorageError(f"{path} cannot be read as HDF5: {error}") from None
        found = self._file.get(dataset)
        if not isinstance(found, h5py.Dataset) or found.ndim != 3 or not found.size:
            self._file.close()
            raise StorageError(f"{path} has no dataset {dataset} of images (three dimensions)")
        self._images = found

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for number in range(len(self._images)):
            yield np.ascontiguousarray(self._images[number])

    def close(self) -> None:
        self._file.close()
