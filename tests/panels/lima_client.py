"""Images without files, as sardana_limaccd of PyPI takes them: ``python lima_client.py DEVICE``.

Says ``started`` at each start, then the sum of the image that came.
"""

from __future__ import annotations

import sys
import time

from sardana_limaccd.client import Lima


def main(device: str) -> None:
    lima = Lima(device, dataArrayVersion=4)
    lima.saving.enabled = False
    lima.saving.prepare()
    for _ in range(2):
        acquisition = lima.acquisition(1, 1, 0.01, 0.0, "INTERNAL_TRIGGER")
        acquisition.prepare()
        acquisition.start()
        print("started", flush=True)
        while (frame := acquisition.next_frame()) is None:
            time.sleep(0.02)
        print(int(frame.sum()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
