"""Does a file hold what the simulated detector sent? By content, image by image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filters of compressed files
import numpy as np

from repstream.sources.images import Image

DETECTOR = "detector"


def check_file(path: Path, images: int, image: Callable[[int], Image], tick: Callable[[int], None]) -> str:
    """What is wrong with the file; empty where all of its images are those that were sent, in order."""
    with h5py.File(path, "r") as file:
        data = file[f"/{DETECTOR}/data"]
        ids = [int(n) for n in file[f"/{DETECTOR}/metadata"]["image_id"]]
        if data.shape[0] != images or len(ids) != images:
            return f"{data.shape[0]} images and {len(ids)} ids instead of {images}"
        if ids != list(range(ids[0], ids[0] + images)):
            return "the image ids are not consecutive"
        for n, frame_id in enumerate(ids):
            if not np.array_equal(data[n], image(frame_id)):
                return f"image {n} (frame {frame_id}) is not what was sent"
            tick(n + 1)
    return ""
