"""One process of the PvaPy lane: ``source``, ``mirror`` or ``sink``; runs in PvaPy's environment.

Says "ready" on standard output, then does one run for each line that comes in.
"""

import sys
import time

import numpy as np
import pvaccess as pva

SOURCE, MIRROR = "bench:source", "bench:mirror"


def source(nbytes: int) -> None:
    image = np.zeros(nbytes // 2, np.uint16)
    record = pva.PvObject({"id": pva.ULONG, "value": [pva.USHORT]}, {"id": 0, "value": image})
    server = pva.PvaServer(SOURCE, record)
    print("ready", flush=True)
    number = 0
    for line in sys.stdin:
        rate, seconds = map(float, line.split())
        begin = time.perf_counter()
        sent = 0
        while (now := time.perf_counter()) < begin + seconds:
            if rate and begin + sent / rate > now:
                time.sleep(begin + sent / rate - now)
            number += 1
            sent += 1
            server.update(
                pva.PvObject({"id": pva.ULONG, "value": [pva.USHORT]}, {"id": number, "value": image})
            )
        print(sent, flush=True)


def mirror(_: int) -> None:
    server = pva.PvaMirrorServer()
    server.start()
    server.addMirrorRecord(MIRROR, SOURCE, pva.PVA, 100)
    print("ready", flush=True)
    for _ in sys.stdin:
        pass


def sink(_: int) -> None:
    arrived = 0

    def update(_: object) -> None:
        nonlocal arrived
        arrived += 1

    channel = pva.Channel(MIRROR, pva.PVA)
    channel.subscribe("bench", update)
    channel.startMonitor("field(id,value)")
    print("ready", flush=True)
    for line in sys.stdin:
        time.sleep(0.1)
        before, begin = arrived, time.perf_counter()
        time.sleep(float(line))
        print((arrived - before) / (time.perf_counter() - begin), flush=True)


if __name__ == "__main__":
    {"source": source, "mirror": mirror, "sink": sink}[sys.argv[1]](int(sys.argv[2]))
