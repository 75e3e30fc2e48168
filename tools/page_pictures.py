"""Take the pictures of the page for the documentation: ``python tools/page_pictures.py`` (needs Chromium)."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page  # noqa: E402
from tests.page.browser import PHONE, open_page, running_browser  # noqa: E402
from tests.ports import free_port  # noqa: E402

from repstream.link.remote import RemoteEngine  # noqa: E402
from repstream.parameters.configuration import Configuration  # noqa: E402
from repstream.protocol import Engine, Requester  # noqa: E402
from repstream.service.options import ServiceOptions  # noqa: E402
from repstream.service.service import Service  # noqa: E402
from repstream_cli.children import Child  # noqa: E402
from repstream_http import HttpServer, create_app  # noqa: E402

PICTURES = ROOT / "docs/pictures"
ME = Requester("http", "Anna", "control3")
HISTORY = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
"""Seconds that it runs before the first picture, so that there is something in the plots."""


def configuration(detector: str) -> Configuration:
    def stream(**fields: object) -> dict[str, object]:
        return {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB", **fields}

    return Configuration.model_validate(
        {
            "source": {"address": detector},
            "streams": {
                "all": stream(),
                "tenth": stream(policy="send_every_nth", every_nth=10),
                "preview": stream(policy="periodic", burst=1, burst_rate=5.0, alarm_on_drop=False),
            },
            "writers": {"main": {}},
            "pictures": {
                "1": {
                    "stream": "all",
                    "rate": 10.0,
                    "roi1_name": "Ring",
                    "roi1_x": 570,
                    "roi1_y": 150,
                    "roi1_width": 150,
                    "roi1_height": 120,
                },
                "2": {"stream": "preview"},
            },
        }
    )


def acquire(service: Service, file: Path, number: int) -> None:
    service.write({"writers.main.output_file": str(file), "writers.main.num_images": number}, ME)
    service.execute("writers.main.start", None, ME)


def point(page: Page) -> None:
    """Look at a pixel, beside a corner of the ring."""
    box = page.locator(".overlay").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.42, box["y"] + box["height"] * 0.36)
    page.wait_for_timeout(3000)


def several_engines() -> None:
    """The table of a repeater and two hosts that write, one of which cannot be reached."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repstream-", dir="/tmp")))
        address = f"tcp://127.0.0.1:{free_port()}"
        engines: dict[str, Engine] = {}
        for name in ("gateway", "north"):
            options = ServiceOptions(
                name=name,
                roots=(folder,),
                settings=folder / f"{name}.json",
                configuration=configuration(address),
            )
            service = Service(options)
            service.start()
            stack.callback(service.close)
            service.execute("engine.start", None, ME).wait(30)
            acquire(service, folder / f"scan_{name}.h5", 20_000)
            engines[name] = service
        south = RemoteEngine(f"tcp://127.0.0.1:{free_port()}", "", "http")
        stack.callback(south.close)
        server = stack.enter_context(HttpServer(create_app({**engines, "south": south}), port=0))
        command = [sys.executable, "-m", "repstream_cli", "simulate", "-a", address, "--rate", "20"]
        detector = Child("detector", [*command, "--size", "256x256"], "sending to")
        detector.start()
        stack.callback(detector.close)
        browser = stack.enter_context(running_browser())
        with open_page(browser, f"{server.url}/#live/gateway", (1440, 800)) as page:
            page.wait_for_timeout(8000)
            page.locator(".all-engines").screenshot(path=str(PICTURES / "page-engines.png"))


def main() -> None:
    several_engines()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repstream-", dir="/tmp")))
        address = f"tcp://127.0.0.1:{free_port()}"
        service = Service(
            ServiceOptions(name="beamline", roots=(folder,), configuration=configuration(address))
        )
        service.start()
        stack.callback(service.close)
        server = stack.enter_context(HttpServer(create_app({"beamline": service}), port=0))
        command = [sys.executable, "-m", "repstream_cli", "simulate", "-a", address, "--rate", "20"]
        detector = Child("detector", [*command, "--size", "800x1280", "--gaps", "0.001"], "sending to")
        detector.start()
        stack.callback(detector.close)
        service.execute("engine.start", None, ME).wait(30)
        for n in range(3):
            acquire(service, folder / f"align_{n + 1:03d}.h5", 40)
            time.sleep(HISTORY / 3)
        acquire(service, folder / "lysozyme_001.h5", 3000)
        browser = stack.enter_context(running_browser())
        url = f"{server.url}/"
        for name, size, dark, view in (
            ("desk", (1440, 1180), False, "live"),
            ("dark", (1440, 1180), True, "live"),
            ("settings", (1440, 800), False, "settings"),
            ("files", (1440, 900), False, "files"),
            ("phone", PHONE, False, "live"),
        ):
            with open_page(browser, f"{url}#{view}/beamline", size, dark=dark) as page:
                page.wait_for_timeout(6000)
                if view == "live" and size != PHONE:
                    point(page)
                if view == "files":
                    page.locator(".entry").nth(1).click()
                    page.wait_for_timeout(3000)
                page.screenshot(path=str(PICTURES / f"page-{name}.png"), full_page=name in ("desk", "dark"))


if __name__ == "__main__":
    main()
