"""Files of writers that took images in turn, made by the HDF5 library as those of others are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

SHAPE = (4, 6)
ROW = np.dtype([("image_id", "<u8"), ("status", "<u8")])
META = np.dtype([("image_id", "<u8"), ("scan_id", "<u8"), ("exposure_time", "<u8")])


def image(number: int) -> NDArray[Any]:
    return np.full(SHAPE, number, np.uint16)


def write(folder: Path, counts: Sequence[int], *, prefix: str = "file", dtype: Any = np.uint16) -> None:
    """Image i is number i // N of file i % N, as long as the file has `counts` of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, count in enumerate(counts):
        ids = np.arange(count) * len(counts) + number
        with h5py.File(folder / f"{prefix}{number}.h5", "w") as file:
            data = np.array([image(i) for i in ids], dtype).reshape(count, *SHAPE)
            file["gigafrost/data"] = data
            rows = np.zeros(count, ROW)
            rows["image_id"], rows["status"] = ids + 100, 1
            file["gigafrost/metadata"] = rows


def write_meta(folder: Path, ids: Sequence[int], prefix: str = "file") -> None:
    rows = np.zeros(len(ids), META)
    rows["image_id"], rows["scan_id"], rows["exposure_time"] = ids, 5, np.array(ids) * 2
    with h5py.File(folder / f"{prefix}Meta.h5", "w") as file:
        file["gigafrost/metadata"] = rows
