"""Make the buffers beside this file: ``python tests/data/page/make.py``.

Poisson noise of a fixed seed, packed as the server packs pictures; the names say pixel type, number of
values, level, and the beginning of the SHA-256 of the values. Licence: that of this project.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import blosc
import numpy as np

FOLDER = Path(__file__).parent
CASES = [
    ("uint8", 100), ("uint8", 5000), ("uint16", 5), ("uint16", 8), ("uint16", 1000), ("uint16", 20003),
    ("uint32", 777), ("uint32", 6000), ("float32", 4001),
]  # fmt: skip

if __name__ == "__main__":
    for dtype, number in CASES:
        values = np.random.default_rng(number).poisson(3, number).astype(dtype)
        for level in (0, 5):
            packed = blosc.compress_ptr(
                values.ctypes.data, number, values.itemsize, level, blosc.BITSHUFFLE, "lz4"
            )
            digest = hashlib.sha256(values.tobytes()).hexdigest()[:16]
            (FOLDER / f"{dtype}_{number}_{level}_{digest}.blosc").write_bytes(packed)
