"""What pictures cost the frame path, how long one takes, and how often its numbers come.

The engine repeats images at half of what the bare loop reaches, with three outputs and a preview of
10 Hz. Runs with two pictures of it, each looked at by a client and one of them as a film over HTTP too,
and with all numbers read ten times a second, alternate with runs without pictures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from benchmarks import ceilings
from benchmarks.ceilings import Output
from benchmarks.lanes import BARE_LOOPS, lane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import child, compare, free_addresses
from benchmarks.polled import RUN_SECONDS, SETTLE_SECONDS, cpu_seconds
from benchmarks.repeater import DECIMATED
from benchmarks.report import Row
from repstream.parameters.configuration import Configuration
from repstream.parameters.first import PREVIEW, preview
from repstream.parameters.picture import PictureConfig
from repstream.pictures import reduce
from repstream.pictures.remote import RemotePictures
from repstream.processing.clean import clean
from repstream.protocol import Change, Event, Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream.sources.images import Images
from repstream_http import HttpServer, create_app

ME = Requester("benchmark")
SHAPE = (2016, 2016)
COST, LIMIT_MS, SHARE = 1.05, 8.0, 0.95
FASTEST = 50.0
REPEATS = 20
PATIENCE_SECONDS = 60.0
REGIONS = {
    f"roi{n}_{field}": value
    for n in range(1, 5)
    for field, value in {"y": 100 * n, "x": 200 * n, "height": 100, "width": 150}.items()
}


def pictures(rounds: int) -> Iterator[Row]:
    for size in ("0.5 MB", "8.1 MB"):
        with beamline(SIZES[size], 10.0) as (cost, engine):
            measured = compare(engine.looked_at(cost), {"no pictures": engine.unseen(cost)}, rounds)
        what = f"CPU time of the data plane per frame, {size}, two pictures at 10 Hz"
        yield Row(what, COST, measured, unit="µs", most=True)
    limit = {f"{LIMIT_MS:g} ms": lambda: LIMIT_MS}
    yield Row("one picture of 2016² uint16", 1.0, compare(_reduction(), limit, rounds), unit="ms", most=True)
    small = Load((1008, 1008), 0)
    with beamline(small, FASTEST) as (_, engine):
        measured = compare(engine.numbers, {f"asked, {FASTEST:g} Hz": lambda: FASTEST}, rounds)
    yield Row("numbers with four regions, 1008² uint16", SHARE, measured, unit="Hz")


def _reduction() -> Callable[[], float]:
    """CPU time in ms for counting one image with four regions and reducing it for a screen."""
    image = Images(SHAPE, "uint16")(1)
    config = PictureConfig.model_validate(REGIONS)

    def one() -> float:
        begin = time.thread_time()
        for _ in range(REPEATS):
            cleaned = clean(image)
            reduce.counted(cleaned, np.dtype(np.uint16), config)
            reduce.reduced(cleaned, config, None)
        return (time.thread_time() - begin) / REPEATS * 1000

    return one


class Beamline:
    """An engine whose pictures come and go."""

    def __init__(self, service: Service, url: str, source: Connection, load: Load) -> None:
        self.service, self.url = service, url
        self._source, self._load = source, load

    def looked_at(
        self, run: Callable[[], float], others: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> Callable[[], float]:
        """The run while everybody looks at two pictures, and `others` do what they do."""

        def measure() -> float:
            self._show(PREVIEW)
            with self._viewers(), others():
                time.sleep(SETTLE_SECONDS)
                return run()

        return measure

    def unseen(self, run: Callable[[], float]) -> Callable[[], float]:
        """The run without pictures."""

        def measure() -> float:
            self._show("")
            return run()

        return measure

    def numbers(self) -> float:
        """How many images a second are counted while they come at `FASTEST`."""
        came: list[float] = []

        def note(event: Event) -> None:
            if isinstance(event, Change) and "pictures.1.image_id" in event.values:
                came.append(time.monotonic())

        self._show(PREVIEW)
        subscription = self.service.subscribe(note)
        self._source.send(self._load.count)
        self._source.recv()
        subscription.close()
        return (len(came) - 1) / (came[-1] - came[0])

    def _show(self, stream: str) -> None:
        self.service.write({f"pictures.{slot}.stream": stream for slot in (1, 2)}, ME)
        wanted = ("waiting", "live") if stream else ("off",)
        end = time.monotonic() + PATIENCE_SECONDS
        while self.service.read("pictures.1.state").value not in wanted:
            if time.monotonic() > end:
                raise TimeoutError("the pictures do not come")
            time.sleep(0.05)

    @contextmanager
    def _viewers(self) -> Iterator[None]:
        ending = threading.Event()
        address = str(self.service.read("pictures.1.address").value)
        viewer = RemotePictures(address)
        subscriptions = [viewer.subscribe(slot, lambda _: None) for slot in (1, 2)]
        threads = [threading.Thread(target=watch, args=(ending,)) for watch in (self._film, self._read)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ending.set()
            for subscription in subscriptions:
                subscription.close()
            viewer.close()
            for thread in threads:
                thread.join()

    def _film(self, ending: threading.Event) -> None:
        while not ending.is_set():
            try:
                with httpx.stream("GET", f"{self.url}/api/v1/pictures/1.mjpg", timeout=1.0) as film:
                    for _ in film.iter_raw():
                        if ending.is_set():
                            return
            except httpx.TimeoutException:  # no images between two runs
                pass

    def _read(self, ending: threading.Event) -> None:
        with httpx.Client() as client:
            while not ending.wait(0.1):
                client.get(f"{self.url}/api/v1/parameters").raise_for_status()


@contextmanager
def beamline(load: Load, rate: float) -> Iterator[tuple[Callable[[], float], Beamline]]:
    """An engine with three outputs and a preview of so many Hz; a run's CPU time per frame in µs."""
    address, shown, *others = free_addresses(5)
    outputs = [Output(other, *kind) for other, kind in zip(others, DECIMATED, strict=True)]
    speed = _ceiling(load) / 2 if load.count else 2 * rate
    sized = Load(load.shape, round(RUN_SECONDS * speed))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        source = stack.enter_context(child(ceilings.source, sized, address, speed))
        sink = stack.enter_context(child(ceilings.sink, sized, outputs))
        service = Service(
            ServiceOptions(roots=(folder,), configuration=_configured(address, shown, outputs, rate))
        )
        service.start()
        stack.callback(service.close)
        service.execute("engine.start", None, ME)
        server = HttpServer(create_app({"engine": service}), "127.0.0.1", 0)
        server.start()
        stack.callback(server.close)
        process = int(service.read("engine.process_id").value or 0)

        def cost() -> float:
            before = cpu_seconds(process)
            sink.send(sized.count)
            source.send(sized.count)
            source.recv()
            sink.recv()
            return (cpu_seconds(process) - before) / sized.count * 1e6

        yield cost, Beamline(service, f"http://127.0.0.1:{server.port}", source, sized)


def _ceiling(load: Load) -> float:
    """Frames a second through the bare loop without copying."""
    with lane(load, DECIMATED, BARE_LOOPS["loop without copying"]) as run:
        return sorted(run() for _ in range(3))[1]


def _configured(address: str, shown: str, outputs: list[Output], rate: float) -> Configuration:
    streams: dict[str, object] = {
        f"s{number}": {
            "address": output.address,
            "mode": "PUSH" if number == 0 else "PUB",
            "policy": "send_every_nth",
            "every_nth": output.every,
        }
        for number, output in enumerate(outputs)
    }
    streams[PREVIEW] = {**preview(shown), "burst_rate": rate}
    settings = {"rate": rate, **REGIONS}
    return Configuration.model_validate(
        {"source": {"address": address}, "streams": streams, "pictures": {"1": settings, "2": settings}}
    )
