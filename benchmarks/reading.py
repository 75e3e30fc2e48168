"""Reading our files through h5py against reading files that h5py made with the same chunks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from benchmarks.pairs import compare
from benchmarks.report import Row
from repstream.files import FilePlan, FrameFile

TARGET = 0.9
BATCH = 1000
LOADS = {"1,000,000 of 128 B": ((8, 8), 1_000_000, 10_000), "8.1 MB": ((2016, 2016), 24, 1)}
"""What is read -> shape, images in the file, images at once."""


def through_h5py(rounds: int) -> Iterator[Row]:
    for size, (shape, count, at_once) in LOADS.items():
        with tempfile.TemporaryDirectory(prefix="repstream-bench-") as folder:
            ours, theirs = Path(folder, "ours.h5"), Path(folder, "theirs.h5")
            _write(ours, shape, count)
            with h5py.File(ours) as read, h5py.File(theirs, "w") as made:
                _copy(read["/entry/data/data"], made)
            measured = compare(
                partial(_rate, ours, at_once), {"made by h5py": partial(_rate, theirs, at_once)}, rounds
            )
        yield Row(f"images read, {size}, {at_once} at once", TARGET, measured)


def _write(path: Path, shape: tuple[int, int], count: int) -> None:
    of = FilePlan(path, "detector", shape, np.dtype("<u2"))
    file = FrameFile.create(of)
    image = np.arange(shape[0] * shape[1], dtype="<u2").tobytes()
    for first in range(0, count, BATCH):
        rows = np.zeros(min(BATCH, count - first), of.row_dtype)
        rows["image_id"] = np.arange(first, first + len(rows))
        file.append([image] * len(rows), rows, announce=False)
    file.finish({"outcome": "completed"})


def _copy(images: h5py.Dataset, made: h5py.File) -> None:
    data = made.create_dataset(
        "/entry/data/data", images.shape, images.dtype, maxshape=images.maxshape, chunks=images.chunks
    )
    for number, image in enumerate(images[: min(BATCH, len(images))]):
        for place in range(number, len(images), BATCH):
            data.id.write_direct_chunk((place, 0, 0), image.tobytes())


def _rate(path: Path, at_once: int) -> float:
    begun = time.perf_counter()
    with h5py.File(path) as file:
        images = file["/entry/data/data"]
        count = len(images)
        for first in range(0, count, at_once):
            images[first : first + at_once]
    return count / (time.perf_counter() - begun)
