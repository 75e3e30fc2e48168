"""Reads values from one front end ten times a second until ended: `python -m tests.soak.poll KIND PORT`.

Prints the number of rounds on standard output when it is ended by SIGTERM. A process of its own,
as control-system clients are.
"""

# ruff: noqa: PLC0415 - each kind loads its own library only
from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

PERIOD = 0.1
KEYS = 200


def tango_round(port: int) -> Callable[[], object]:
    import tango

    names = {"repeater/1": 140, "writer/1": 60}
    proxies = [
        (tango.DeviceProxy(f"tango://127.0.0.1:{port}/repstream/{n}#dbase=no"), c) for n, c in names.items()
    ]
    for proxy, _ in proxies:
        _wait_for(proxy.ping, tango.DevFailed)
    lists = [(proxy, [str(a) for a in proxy.get_attribute_list()][:count]) for proxy, count in proxies]
    return lambda: [proxy.read_attributes(attributes) for proxy, attributes in lists]


def epics_round(port: int) -> Callable[[], object]:
    os.environ |= {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(port),
    }
    from caproto.threading.client import Context

    from repstream.parameters.catalogue import build
    from repstream_epics.names import readback

    wanted = [f"X:REPSTREAM:{readback(p)}" for p in build().parameters.values() if p.slot < 2][:KEYS]
    pvs = Context().get_pvs(*wanted)
    for pv in pvs:
        pv.wait_for_connection(timeout=20)
    return lambda: [pv.read(wait=True, timeout=20) for pv in pvs]


def http_round(port: int) -> Callable[[], object]:
    import httpx

    client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=20)
    _wait_for(lambda: client.get("/parameters"), httpx.ConnectError)
    return lambda: client.get("/parameters").raise_for_status()


def _wait_for(answer: Callable[[], object], refused: type[Exception]) -> None:
    """The front end of a service that is just starting may not be there yet."""
    for _ in range(20):
        with suppress(refused):
            answer()
            return
        time.sleep(1.1)
    answer()


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    one_round = {"tango": tango_round, "epics": epics_round, "http": http_round}[kind](port)
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    rounds = 0
    while not end.wait(PERIOD):
        one_round()
        rounds += 1
    print(rounds, flush=True)
    os._exit(0)  # the client libraries' threads have nothing left to do


if __name__ == "__main__":
    main()
