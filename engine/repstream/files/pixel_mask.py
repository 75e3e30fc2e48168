"""Masks of bad pixels, from numpy or HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError

DATASETS = ("pixel_mask", "mask", "entry/instrument/detector/pixel_mask")
"""Where HDF5 files have a mask, if the dataset is not named; the last is that of NeXus."""


def read(name: str) -> NDArray[np.bool_]:
    """The mask in a file, two dimensions, true where a pixel is bad: where the file is not 0.

    `name` is that of a ``.npy`` file, or of an HDF5 file, which may be followed by a colon and the
    dataset (``/data/mask.h5:/entry/mask``). Raises `StorageError` with what is wrong.
    """
    try:
        values = np.asarray(np.load(name, allow_pickle=False) if name.endswith(".npy") else _from_hdf5(name))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise StorageError(f"the mask {name} cannot be read: {error}") from error
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        raise StorageError(
            f"the mask {name} holds {values.dtype} {values.shape}, not numbers of two dimensions"
        )
    mask: NDArray[np.bool_] = values != 0
    return mask


def _from_hdf5(name: str) -> Any:
    path, colon, dataset = name.rpartition(":")
    if not colon:
        path, dataset = name, ""
    with h5py.File(Path(path), "r") as file:
        places = [dataset] if dataset else [place for place in DATASETS if place in file]
        if not places:
            raise KeyError(f"none of {', '.join(DATASETS)} is in it; name the dataset as FILE:/dataset")
        found = file[places[0]]
        if not isinstance(found, h5py.Dataset):
            raise KeyError(f"{places[0]} is no dataset")
        return found[()]
