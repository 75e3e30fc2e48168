"""Plans, images and metadata for the tests of files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from repstream.files import FilePlan, compress
from repstream.files.plan import EXTRA_VALUE

MEMBERS = (("exposure", np.dtype("<f4")), ("good", np.dtype("?")))


def plan(path: Path, dtype: str = "<u2", shape: tuple[int, int] = (4, 6), **changes: Any) -> FilePlan:
    return FilePlan(path, "det", shape, np.dtype(dtype), MEMBERS, **changes)


def image(number: int, dtype: str = "<u2", shape: tuple[int, int] = (4, 6)) -> np.ndarray[Any, Any]:
    """The image with this number: the same in every process."""
    kind = np.dtype(dtype)
    data = np.random.default_rng(number).bytes(shape[0] * shape[1] * kind.itemsize)
    return np.frombuffer(data, kind).reshape(shape)


def images(count: int, dtype: str = "<u2", shape: tuple[int, int] = (4, 6)) -> np.ndarray[Any, Any]:
    return np.array([image(number, dtype, shape) for number in range(count)], np.dtype(dtype)).reshape(
        -1, *shape
    )


def rows(of: FilePlan, first: int, count: int) -> np.ndarray[Any, Any]:
    """Metadata of `count` images from number `first` on."""
    table = np.zeros(count, of.row_dtype)
    table["image_id"] = np.arange(first, first + count)
    table["exposure"] = table["image_id"] * 0.5
    return table


def extra(first: int, count: int) -> np.ndarray[Any, Any]:
    """An extra value for each third image of `count` from number `first` on, its number times ten."""
    wanted = [number for number in range(first, first + count) if number % 3 == 0]
    return np.array([(n - first, n, b"late", 10 * n, str(10 * n).encode()) for n in wanted], EXTRA_VALUE)


def payload(of: FilePlan, number: int) -> bytes:
    """An image as it is stored."""
    return _stored(number, of.dtype.str, of.shape, of.compression != "none")


@lru_cache(2000)
def _stored(number: int, dtype: str, shape: tuple[int, int], packed: bool) -> bytes:
    pixels = image(number, dtype, shape).tobytes()
    return compress(pixels, np.dtype(dtype).itemsize) if packed else pixels


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files too."""
    return sorted(entry.name for entry in folder.iterdir())
