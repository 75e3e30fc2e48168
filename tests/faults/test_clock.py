"""The clock on the wall is set while everything runs: no rate, duration, age or limit feels it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from queue import Queue
from typing import Any, NamedTuple

import httpx
import pytest
import tango

import repstream
from repstream.client import Client
from repstream.pictures.picture import Picture
from repstream.pictures.remote import RemotePictures
from repstream.protocol import Change, Event
from repstream_cli.exits import Exit
from tests.cli.processes import below
from tests.cli.running import free_port, started
from tests.clock import Clock
from tests.ioc.clients import Pyepics
from tests.soak.site.programs import command_of
from tests.waiting import until

HOUR, DAY = 3600, 86_400
JUMPS = {"back an hour": -HOUR, "on a day": DAY, "right again": 0}
RATE = 100
RATES = ("source.rate", "streams.1.rate", "writers.1.rate", "pictures.1.picture_rate")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
            pytest.fail("no C compiler: apt install gcc")
        pytest.skip("no C compiler: apt install gcc")
    return Clock(compiler, tmp_path_factory.mktemp("clock"))


class Site(NamedTuple):
    """An engine and its front ends under that clock, a client outside it, and where they are."""

    engine: Client
    url: str
    tango_port: int
    epics_port: int
    process_id: int


@pytest.fixture(scope="module")
def site(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    address, source, live = (f"tcp://127.0.0.1:{free_port()}" for _ in range(3))
    ports = {name: free_port() for name in ("http", "tango", "epics")}
    tree = {
        "schema_version": 1,
        "source": {"address": source},
        "streams": {"live": {"address": live, "mode": "PUB"}},
        "writers": {"main": {"folder": str(folder), "file_name": "scan", "idle_timeout": 600.0}},
        "pictures": {"1": {"stream": "live", "rate": 10.0, "enable": True, "gate_writer": "main"}},
    }
    (folder / "site.json").write_text(json.dumps(tree))
    detector = ("simulate", "-a", source, "--size", "32x32", "--rate", RATE, "-n", 0, "-q")
    serve = ("serve", "--engine-address", address, "--root", folder, "--config", folder / "site.json")
    with ExitStack() as stack:
        stack.enter_context(started(*detector))
        served = (part for name, port in ports.items() for part in (f"--{name}-port", port))
        command = (*serve, "--no-pva", *served)
        process = stack.enter_context(started(*command, environment={**os.environ, **clock.environment}))
        assert process.stdout
        next(line for line in process.stdout if "serving;" in line)
        engine = stack.enter_context(repstream.Client(address))
        url = f"http://127.0.0.1:{ports['http']}"
        yield Site(engine, url, ports["tango"], ports["epics"], process.pid)


@pytest.fixture
def running(site: Site, clock: Clock) -> Iterator[Site]:
    """Frames come, are written and shown."""
    clock.set(0)
    site.engine.execute("engine.start").wait(20)
    site.engine.execute("writers.main.start")
    for key in RATES:
        site.engine.wait(key, lambda rate: isinstance(rate, float) and rate > 1, timeout=30)
    yield site
    clock.set(0)
    site.engine.execute("engine.stop").wait(20)


class Watch:
    """Every value of these parameters that is published."""

    def __init__(self, engine: Client, *keys: str) -> None:
        self.values: dict[str, list[Any]] = {key: [] for key in keys}
        self._subscribed = engine.subscribed(self._take)

    def _take(self, event: Event) -> None:
        if isinstance(event, Change):
            for key in self.values.keys() & event.values.keys():
                self.values[key].append(event.values[key])

    def __enter__(self) -> Watch:
        self._subscribed.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._subscribed.__exit__(None, None, None)


def test_rates_ages_and_limits_do_not_feel_it(running: Site, clock: Clock) -> None:
    engine = running.engine
    shown = "engine.state", "engine.losing", "writers.1.waiting", "writers.1.folder_status", "pictures.1.age"
    with Watch(engine, *RATES, *shown) as watch:
        for jump in JUMPS.values():
            clock.set(jump)
            received = int(str(engine.read("source.received")))
            until(lambda now=received: int(str(engine.read("source.received"))) > now + 3 * RATE, "frames")
    for key in RATES:
        assert len(watch.values[key]) > 10
        assert all(1 < rate < 50 * RATE for rate in watch.values[key]), watch.values[key]
    assert watch.values["engine.state"] == watch.values["engine.losing"] == []
    assert {*watch.values["writers.1.waiting"], *watch.values["writers.1.folder_status"]} <= {""}
    assert all(age is None or 0 <= age < 60 for age in watch.values["pictures.1.age"])
    assert engine.read("writers.main.acq_state") == "ACQUIRING_IMAGES"


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_an_acquisition_lasts_as_long_as_it_does(running: Site, clock: Clock, jump: int) -> None:
    engine = running.engine
    clock.set(jump)
    engine.wait("writers.main.num_written", lambda number: int(str(number)) > RATE, timeout=30)
    engine.execute("writers.main.stop").wait(20)
    assert 0 < float(str(engine.read("writers.main.acq_duration"))) < 60
    assert engine.read("writers.main.acq_result") == "interrupted"


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_what_a_gate_let_through_is_counted_whole(running: Site, clock: Clock, jump: int) -> None:
    engine = running.engine
    engine.execute("writers.main.stop").wait(20)
    engine.execute("writers.main.start", RATE)
    which = engine.read("writers.main.acquisition_id")
    clock.set(jump)
    engine.wait("writers.main.gate", "shut", timeout=30)

    def is_over() -> bool:
        state = engine.read("pictures.1.gate_state")
        return engine.read("pictures.1.gate_acquisition_id") == which and state != "open"

    until(is_over, "the sums of the gate")
    assert engine.read("pictures.1.gate_state") == "complete", engine.read("pictures.1.gate_message")
    assert engine.read("pictures.1.gate_images") == RATE


def test_clients_of_tango_and_epics_are_served_on(running: Site, clock: Clock) -> None:
    """Events and monitors come, reads and writes are answered, times are those of the clock as it is now."""
    place = f"tango://127.0.0.1:{running.tango_port}/repstream/repeater/1#dbase=no"
    events: Queue[tango.EventData] = Queue()
    proxy = tango.DeviceProxy(place)
    proxy.subscribe_event("SourceReceived", tango.EventType.CHANGE_EVENT, events.put)
    prefix = "X:REPSTREAM:"
    with (
        Pyepics(running.epics_port) as ca,
        ca.watch(f"{prefix}Src:Received_RBV") as monitor,
        Watch(running.engine, "engine.uptime") as watch,
    ):
        for number, jump in enumerate(JUMPS.values(), 2):
            clock.set(jump)
            received = int(str(running.engine.read("source.received")))

            def is_shown(queue: Queue[Any], count: int = received, show: Any = None) -> bool:
                return bool(show(queue.get(timeout=30)) > count + RATE)

            until(lambda: is_shown(monitor, show=lambda update: update["value"]), "monitors")
            until(lambda: is_shown(events, show=lambda event: event.attr_value.value), "events")
            proxy.write_attribute("Stream1EveryNth", number)
            until(
                lambda n=number: ca.value(f"{prefix}Strm1:EveryNth_RBV") == n, "the write of Tango in EPICS"
            )
            assert ca.do("put", f"{prefix}Strm1:EveryNth", 1)
            until(lambda: proxy.read_attribute("Stream1EveryNth").value == 1, "the write of EPICS in Tango")
            now = time.time() + jump
            assert abs(proxy.read_attribute("SourceReceived").time.totime() - now) < HOUR / 2
            assert abs(ca.do("get", f"{prefix}Src:Received_RBV")["timestamp"] - now) < HOUR / 2
            assert "day" not in ca.value(f"{prefix}IOC:UPTIME")
            assert 0 <= ca.value(f"{prefix}IOC:IOC_CPU_LOAD") < 100 * (os.cpu_count() or 1)
            assert proxy.state() == tango.DevState.RUNNING
    assert all(0 <= uptime < HOUR for uptime in watch.values["engine.uptime"])


def test_a_viewer_sees_pictures_of_a_process_that_was_started_in_the_past(
    running: Site, clock: Clock
) -> None:
    came: list[Picture] = []
    pictures = RemotePictures(str(running.engine.read("pictures.1.address")))
    try:
        subscription = pictures.subscribe(1, came.append)
        until(lambda: came, "pictures")
        clock.set(-HOUR)
        (old,) = (p for p in below(running.process_id) if "repstream.pictures.process" in command_of(p))
        os.kill(old, 9)
        running.engine.wait("pictures.1.state", lambda state: state != "live", timeout=30)
        seen = len(came)
        until(lambda: len(came) > seen + 5, "pictures again")
        subscription.close()
    finally:
        pictures.close()


def test_the_plots_of_the_page_keep_their_scale(running: Site, clock: Clock) -> None:
    def times() -> list[float]:
        found: list[float] = httpx.get(f"{running.url}/api/v1/history", timeout=20).json()["times"]
        return found

    until(lambda: len(times()) > 2, "samples")
    for jump in (-HOUR, DAY):
        clock.set(jump)
        before = times()[-1]
        until(lambda last=before: times()[-1] > last, "another sample")
    found = times()
    assert found == sorted(found)
    assert found[-1] - found[0] < HOUR


def test_the_doctor_sees_a_clock_that_is_wrong(clock: Clock) -> None:
    clock.set(-8 * 365 * DAY)
    command = [sys.executable, "-m", "repstream_cli", "doctor", "--only", "clock", "--json"]
    environment = {**os.environ, **clock.environment}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    clock.set(0)
    found = [finding["found"] for finding in json.loads(ran.stdout)["findings"]]
    assert any(text.startswith("the clock shows 20") and "which is past" in text for text in found), found
    assert ran.returncode == Exit.FAULTS
