"""The C libraries that hdf5plugin brings for HDF5 filters, called without HDF5."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path


def load(name: str) -> ctypes.CDLL:
    """The library of a filter (`name` ``"bshuf"``, ``"blosc2"``, …).

    It is found without importing hdf5plugin, which would load all filters. Raises ImportError where
    it is not there.
    """
    spec = importlib.util.find_spec("hdf5plugin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "plugins", f"libh5{name}.so")
        if path.exists():
            return ctypes.CDLL(str(path))
    raise ImportError(f"hdf5plugin without plugins/libh5{name}.so: install hdf5plugin 5 or newer from PyPI")
