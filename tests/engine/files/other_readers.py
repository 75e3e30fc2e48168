"""Reads files with libraries that have an environment of their own: ``python other_readers.py READER FILE…``.

`make readers` makes it: the oldest h5py and hdf5plugin that are supported, and on top of them what is too
large for the environment of the tests. For each file an array in numpy's own format goes to the output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np


def by_oldest_h5py(path: str) -> Any:
    with h5py.File(path) as file:
        return file["/entry/data/data"][()]


def by_pyfai(path: str) -> Any:
    from pyFAI.io.nexus import Nexus  # noqa: PLC0415

    with Nexus(path, "r") as file:
        entry = next(entry for entry in file.get_entries() if "instrument" in entry)
        (instrument,) = file.get_class(entry, "NXinstrument")
        (detector,) = file.get_class(instrument, "NXdetector")
        return detector["data"][()]


def by_tiled(path: str) -> Any:
    from tiled.adapters.hdf5 import HDF5Adapter  # noqa: PLC0415

    return HDF5Adapter.from_uris(Path(path).absolute().as_uri())["entry"]["data"]["data"].read()


READERS: dict[str, Callable[[str], Any]] = {
    "oldest h5py": by_oldest_h5py,
    "pyFAI": by_pyfai,
    "tiled": by_tiled,
}

if __name__ == "__main__":
    reader, *paths = sys.argv[1:]
    for path in paths:
        np.save(sys.stdout.buffer, np.asarray(READERS[reader](path)), allow_pickle=False)
