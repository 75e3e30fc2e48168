"""The live picture in a headless Chromium: how much is shown of what is sent, how late, and what it costs.

A simulated detector, an engine, its pictures and the HTTP server stand on this machine, as does the
browser, without a graphics card. The picture is as large as that of the detector (``every pixel``), so
that nothing is reduced. The page says of each picture when it was shown; the clock is one and the same.

What it costs is CPU time of the data plane per frame: with two pictures of 10 Hz, each looked at by a client,
the page, a film and readers of the numbers over EPICS and HTTP, against none of it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from tests.ioc.clients import Pyepics
from tests.page.browser import open_page, running_browser
from tests.ports import free_port

from benchmarks import pictures
from benchmarks.loads import SIZES
from benchmarks.pairs import Measured, compare
from benchmarks.report import Row
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_cli.children import Child
from repstream_epics.server import IocServer
from repstream_http import HttpServer, create_app

ASKED = (((2016, 2016), 10.0), ((1008, 1008), 20.0))
SHARE = 0.95
LATENCY = 0.15
SECONDS_A_ROUND = 60 / 9
"""Nine rounds are a minute."""
SETTLE_SECONDS = 5.0
MEMORY_UNIT = 1e6
ME = Requester("benchmark")
PREFIX = "B:PAGE:"

WATCH = """() => {
    window.ages = [];
    document.addEventListener("shown", (event) => window.ages.push(event.detail.age));
}"""


def shown(rounds: int) -> Iterator[Row]:
    for shape, rate in ASKED:
        size = f"{shape[1]}² uint16"
        with _page(shape, rate) as page:
            rates, ages, memory = _watch(page, rounds)
        print(
            f"{size}: page memory {memory[0]:.0f} MB at first, {memory[-1]:.0f} MB in the end",
            file=sys.stderr,
        )
        yield Row(f"pictures shown, {size}", SHARE, _measured(rates, rate, f"sent, {rate:g} Hz"), unit="Hz")
        late = _measured(ages, LATENCY, f"{LATENCY * 1000:g} ms")
        yield Row(f"from receiving to showing, median, {size}", 1.0, late, unit="s", most=True)
    yield _cost(rounds)


def _cost(rounds: int) -> Row:
    with (
        pictures.beamline(SIZES["8.1 MB"], 10.0) as (cost, beamline),
        IocServer({"page": beamline.service}, PREFIX, port=0) as ioc,
        Pyepics(ioc.port) as pyepics,
        running_browser() as browser,
    ):

        @contextmanager
        def others() -> Iterator[None]:
            with open_page(browser, f"{beamline.url}/") as page, _reading(pyepics):
                page.wait_for_selector(".overlay")
                yield

        measured = compare(beamline.looked_at(cost, others), {"nobody looks": beamline.unseen(cost)}, rounds)
    what = "CPU time of the data plane per frame, 8.1 MB, with page, film and EPICS"
    return Row(what, pictures.COST, measured, unit="µs", most=True)


@contextmanager
def _reading(pyepics: Pyepics) -> Iterator[None]:
    """Somebody reads a number of a picture ten times a second, over Channel Access."""
    ending = threading.Event()

    def read() -> None:
        while not ending.wait(0.1):
            pyepics.value(f"{PREFIX}Pictures1:Sum_RBV")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ending.set()
        reader.join()


def _watch(page: Page, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Rate and median age of each round, and the memory of the page in MB."""
    page.evaluate(WATCH)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    rates, ages, memory = [], [], []
    for _ in range(rounds):
        begin = time.monotonic()
        page.evaluate("window.ages = []")
        page.wait_for_timeout(SECONDS_A_ROUND * 1000)
        found: list[float] = page.evaluate("window.ages")
        rates.append(len(found) / (time.monotonic() - begin))
        ages.append(statistics.median(found) if found else SECONDS_A_ROUND)
        metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
        memory.append(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize") / MEMORY_UNIT)
    return rates, ages, memory


def _measured(found: list[float], wanted: float, peer: str) -> Measured:
    ratios = [value / wanted for value in found]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Measured(middle, low, high, len(found), statistics.median(found), peer, wanted)


@contextmanager
def _page(shape: tuple[int, int], rate: float) -> Iterator[Page]:
    """The page with a picture of every pixel, once pictures come."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        detector, stream = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        configuration = Configuration.model_validate(
            {
                "source": {"address": detector},
                "streams": {"all": {"address": stream, "mode": "PUB"}},
                "pictures": {"1": {"stream": "all", "rate": min(50.0, 2 * rate)}},
            }
        )
        service = Service(ServiceOptions(name="page", roots=(folder,), configuration=configuration))
        service.start()
        stack.callback(service.close)
        service.execute("engine.start", None, ME).wait(30)
        server = stack.enter_context(HttpServer(create_app({"page": service}), port=0))
        size = f"{shape[0]}x{shape[1]}"
        command = [sys.executable, "-m", "repstream_cli", "simulate", "--size", size, "--rate", str(rate)]
        simulated = Child("detector", [*command, "-a", detector], "sending to")
        simulated.start()
        stack.callback(simulated.close)
        browser = stack.enter_context(running_browser())
        page = stack.enter_context(open_page(browser, f"{server.url}/", (shape[1] + 460, shape[0] + 300)))
        page.wait_for_selector(".caption:not(:empty)")
        page.wait_for_timeout(SETTLE_SECONDS * 1000)
        yield page
