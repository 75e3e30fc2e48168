"""A writer that says when its images are safe: ``python -m … FILE COMPRESSION``, under the storage shim.

It enters ``said N 0 0`` in the shim's log after each sync: N images are on the disk, under their name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.engine.files.samples import extra, payload, plan, rows

from repstream.files import FrameFile
from repstream.files.plan import MISSING

BATCH, TURNS = 7, 12
LATE = 3
"""Place in a batch whose image does not come, or late."""


def say(count: int) -> None:
    with Path(os.environ["STORAGE_SHIM_LOG"]).open("a") as log:
        log.write(f"said {count} 0 0\n")


def main() -> None:
    of = plan(Path(sys.argv[1]), compression=sys.argv[2])
    file = FrameFile.create(of)
    for turn in range(TURNS):
        first = file.places
        images = [payload(of, number) for number in range(first, first + BATCH)]
        table = rows(of, first, BATCH)
        images[LATE], table["status"][LATE] = None, MISSING
        file.append(images, table, extra(first, BATCH), announce=False)
        if turn % 3 == 2:
            file.sync()
            say(file.count)
        if turn % 4 == 3:
            late = first - BATCH + LATE
            file.fill(late, [payload(of, late)], rows(of, late, 1), durable=True)
    file.finish({"outcome": "completed"})
    say(file.count)


if __name__ == "__main__":
    main()
