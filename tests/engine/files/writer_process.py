"""A writer to be killed: appends images for ever and says after each append how many there are.

Arguments: file, compression, images an append, and what is special: ``dense``; ``late``
(the last image of each append stays blank, and comes `LATE` appends later); ``synced``
(readers see images when they are on the disk); ``gathered`` (they see those of `GATHERED`
appends at once); ``parts`` (of `PER_FILE` images).
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from tests.engine.files.samples import extra, payload, plan, rows

from repstream.files import FrameFile, Placeholder
from repstream.files.plan import MISSING
from repstream.files.series import FileSeries

LATE = 5
GATHERED = 4
DIFFERENT = 97
PER_FILE = 50


def main() -> None:
    path, compression, batch, mode = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    of = plan(path, shape=(32, 32), compression=compression)
    file: FrameFile | FileSeries
    if mode == "parts":
        waiting = Placeholder.create(path, "det", {})
        file = waiting.become(of.shape, of.dtype, of.members, of.compression, PER_FILE)
    else:
        file = FrameFile.create(of)
    payloads = [payload(of, number) for number in range(DIFFERENT)]
    for turn in itertools.count(1):
        first = file.places
        images = [payloads[number % DIFFERENT] for number in range(first, first + batch)]
        table = rows(of, first, batch)
        if mode == "late":
            images[-1], table["status"][-1] = None, MISSING
        file.append(images, table, extra(first, batch), announce=mode not in ("synced", "gathered"))
        if mode == "gathered" and turn % GATHERED == 0:
            file.announce()
        if mode == "synced":
            file.sync()
        late = first - LATE * batch - 1
        if mode == "late" and late >= 0:
            file.fill(late, [payloads[late % DIFFERENT]], rows(of, late, 1), extra(late, 1))
        os.write(1, file.count.to_bytes(8, "little"))


if __name__ == "__main__":
    main()
