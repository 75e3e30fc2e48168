"""A client that looks at the engine through one front end until ended: ``KIND PORT``.

SIGUSR1: the next time that it sees all values it prints them as JSON, with how many looks there were and how
many failed. It goes on whatever fails, as a panel does that is left open over night.
"""

# ruff: noqa: PLC0415 - each kind loads its own library only
from __future__ import annotations

import atexit
import json
import os
import re
import signal
import sys
import threading
import zlib
from collections.abc import Callable
from typing import Any

from repstream.parameters.catalogue import build

PERIOD = 0.2
WANTED = ("source.received", "source.malformed", "streams.1.sent")
PICTURE = "picture"
"""What says which picture is seen, beside the values of `WANTED`; its number means nothing else."""
PREFIX = "X:REPSTREAM:"

Look = Callable[[], dict[str, int]]


def tango_look(port: int) -> Look:
    import tango

    from repstream_tango.names import attribute_name

    names = [attribute_name(build().parameters[key]) for key in WANTED]
    proxies: list[tango.DeviceProxy] = []

    def look() -> dict[str, int]:
        if not proxies:  # a server that is not there yet has no devices
            proxies.append(tango.DeviceProxy(f"tango://127.0.0.1:{port}/repstream/repeater/1#dbase=no"))
        *found, shown = (read.value for read in proxies[0].read_attributes([*names, "Pictures1ShownId"]))
        if shown is None:  # the first look after a while has none to show yet
            raise RuntimeError("no picture")
        return {**dict(zip(WANTED, found, strict=True)), PICTURE: shown}

    return look


def epics_look(port: int) -> Look:
    os.environ |= {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(port),
    }
    from caproto.threading.client import Context

    from repstream_epics.names import readback

    pvs = Context().get_pvs(*(PREFIX + readback(build().parameters[key]) for key in WANTED))

    def look() -> dict[str, int]:
        found = [int(pv.read(wait=True, timeout=5).data[0]) for pv in pvs]
        return dict(zip(WANTED, found, strict=True))

    return look


def pva_look(port: int) -> Look:
    from p4p.client.thread import Context

    from repstream_epics.names import readback

    configuration = {
        "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{port}",
        "EPICS_PVA_ADDR_LIST": "",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
    context = Context("pva", conf=configuration, useenv=False)
    names = [PREFIX + readback(build().parameters[key]) for key in WANTED]

    def look() -> dict[str, int]:
        *found, picture = context.get([*names, f"{PREFIX}Pictures1:Image"], timeout=5)
        return {**dict(zip(WANTED, map(int, found), strict=True)), PICTURE: zlib.crc32(picture.tobytes())}

    return look


def http_look(port: int) -> Look:
    import httpx

    client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=5)

    def look() -> dict[str, int]:
        values = client.get("/parameters").raise_for_status().json()["values"]
        picture = client.get("/pictures/1.jpg").raise_for_status().headers["repstream-image-id"]
        return {**{key: values[key.replace(".1.", ".live.")] for key in WANTED}, PICTURE: int(picture)}

    return look


def websocket_look(port: int) -> Look:
    from websockets.sync.client import ClientConnection, connect

    sockets: list[ClientConnection] = []
    values: dict[str, Any] = {}

    def look() -> dict[str, int]:
        if not sockets:
            sockets.append(connect(f"ws://127.0.0.1:{port}/api/v1/changes", open_timeout=5))
            values.clear()
        try:
            values.update(json.loads(sockets[0].recv(timeout=5)).get("values", {}))
            while True:
                values.update(json.loads(sockets[0].recv(timeout=0)).get("values", {}))
        except TimeoutError:
            pass
        except Exception:
            sockets.pop().close()
            raise
        return {key: values[key.replace(".1.", ".live.")] for key in WANTED}

    return look


def page_look(port: int) -> Look:
    """The page in a browser, which shows the state of the repeater and a picture."""
    from playwright.sync_api import sync_playwright

    from tests.page.browser import ARGUMENTS, chromium

    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    page = browser.new_page()
    page.set_default_timeout(10_000)
    opened = False

    def look() -> dict[str, int]:
        nonlocal opened
        if not opened:
            page.goto(f"http://127.0.0.1:{port}/")
            opened = True
        if not page.locator(".header .state").inner_text().upper().startswith("RUNNING"):
            raise RuntimeError("not running")
        shown = re.match(r"image (\d+)", page.locator(".caption").inner_text())
        if shown is None:
            raise RuntimeError("no picture")
        return {PICTURE: int(shown[1])}

    return look


LOOKS = {
    "tango": tango_look,
    "epics": epics_look,
    "pva": pva_look,
    "http": http_look,
    "websocket": websocket_look,
    "page": page_look,
}


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    end, asked = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    signal.signal(signal.SIGUSR1, lambda *_: asked.set())
    look = LOOKS[kind](port)
    print("ready", flush=True)
    looks = errors = 0
    while not end.wait(PERIOD):
        tell = asked.is_set()
        try:
            values = look()
        except Exception:  # whatever it is, the next look may succeed
            errors += 1
            continue
        looks += 1
        if tell:
            asked.clear()
            print(json.dumps({"values": values, "looks": looks, "errors": errors}), flush=True)
    if kind == "page":
        sys.exit()  # its browser ends with it
    os._exit(0)  # the client libraries' threads have nothing left to do


if __name__ == "__main__":
    main()
