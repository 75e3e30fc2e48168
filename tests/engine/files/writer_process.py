"""A writer to be killed: appends images for ever and says after each append how many there are.

Arguments: file, compression, images an append.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.engine.files.samples import payload, plan, rows

from repstream.files import FrameFile


def main() -> None:
    path, compression, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    of = plan(path, shape=(32, 32), compression=compression)
    file = FrameFile.create(of)
    payloads = [payload(of, number) for number in range(97)]
    while True:
        numbers = range(file.count, file.count + batch)
        count = file.append([payloads[number % 97] for number in numbers], rows(of, file.count, batch))
        os.write(1, count.to_bytes(8, "little"))


if __name__ == "__main__":
    main()
