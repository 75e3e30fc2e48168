"""Pack the recorded inputs and outputs into one zip: ``pack.py SOURCE``. The zip is the same each time.

Arrays are put in without compression of their own, so that LZMA sees them all.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

DOCUMENTS, ARRAYS = ("cases", "functions", "wire"), ("images", "outputs", "wire")


def pack(source: Path) -> None:
    with zipfile.ZipFile(Path(__file__).with_name("recorded.zip"), "w", zipfile.ZIP_LZMA) as packed:
        for name in DOCUMENTS:
            text = json.dumps(json.loads((source / f"{name}.json").read_bytes()), separators=(",", ":"))
            packed.writestr(zipfile.ZipInfo(f"{name}.json"), text, zipfile.ZIP_LZMA)
        for name in ARRAYS:
            plain = io.BytesIO()
            with np.load(source / f"{name}.npz") as arrays:
                np.savez(plain, **arrays)
            packed.writestr(zipfile.ZipInfo(f"{name}.npz"), plain.getvalue(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
