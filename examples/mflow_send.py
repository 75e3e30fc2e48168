"""Send images: ``python mflow_send.py ADDRESS [NUMBER]``."""

import sys

import numpy as np

from repstream import mflow

address, number = sys.argv[1], int([*sys.argv, "20"][2])

with mflow.connect(address, conn_type=mflow.BIND, mode=mflow.PUSH, linger=30_000) as stream:
    for frame in range(number):
        image = np.full((60, 80), frame, np.uint16)
        header = {"htype": "array-1.0", "type": "uint16", "shape": image.shape, "frame": frame}
        stream.forward({"header": header, "data": [image]})
    print(f"{number} images sent")
