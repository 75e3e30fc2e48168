"""Receive images and add them up: ``python mflow_receive.py ADDRESS [NUMBER]``."""

import sys

import numpy as np

from repstream import mflow

address, number = sys.argv[1], int([*sys.argv, "20"][2])

with mflow.connect(address, mode=mflow.PULL, receive_timeout=30_000, copy=False) as stream:
    total = 0
    for _ in range(number):
        message = stream.receive()
        if message is None:
            sys.exit("nothing came, or what came was no good message")
        image = message.data["data"][0]
        total += np.sum(image, dtype=np.int64)
    counts = message.statistics
    print(f"{counts.messages_received} images of {image.shape}, sum {total}, {counts.total_bytes_received} B")
