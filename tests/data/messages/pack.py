"""Pack folders of recorded messages into one zip a family: ``pack.py SOURCE FAMILY [PREFIX]``.

SOURCE holds one folder a vector (`NNNNNN_MMM.raw` parts, `expected.json`, `expected.npz`). With
PREFIX only the vectors whose name begins so are taken. The zip is the same for the same input.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def pack(source: Path, family: str, prefix: str = "") -> None:
    target = Path(__file__).with_name(f"{family}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(source.glob(f"{prefix}*/*")):
            entry = zipfile.ZipInfo(f"{path.parent.name}/{path.name}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    pack(Path(sys.argv[1]), *sys.argv[2:])
