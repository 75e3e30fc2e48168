"""Two streams as one, read in turn: ``python mflow_merge.py ADDRESS ADDRESS [NUMBER]``."""

import sys

from repstream import mflow
from repstream.mflow.utils import Merge

first, second, number = sys.argv[1], sys.argv[2], int([*sys.argv, "40"][3])

merged = Merge(*(mflow.connect(address, receive_timeout=30_000) for address in (first, second)))
frames = []
while len(frames) < number:
    message = merged.receive()
    if message is None:
        sys.exit("nothing came, or what came was no good message")
    frames.append(message.data["header"]["frame"])
merged.disconnect()
print(f"{len(frames)} messages, the last frame ids are {frames[-2:]}")
