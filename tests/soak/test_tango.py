"""A Tango server for long: many who poll and subscribe, streams that come and go under them.

`REPSTREAM_SOAK_MINUTES` sets how long the long forms run (30); the short ones are part of the tests.
``make soak-tango MINUTES=10`` runs the long form of the first alone, which ends with a line of its figures,
and measures what the same load costs the frame path.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import tango
from benchmarks import tango_load

from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream_tango.command_line import command_line
from tests.device_servers.serving import ANY_PORT, REPEATER, free_port, running, until
from tests.device_servers.watching import watching
from tests.fakes import FakePlane, running_service
from tests.soak.tango_load import KEYS, NAMES, PERIOD, POLLERS, SUBSCRIBERS, clients, seen
from tests.soak.tango_watcher import POLLED

MINUTES = float(os.environ.get("REPSTREAM_SOAK_MINUTES", "30"))
ME = Requester("test")
FLAT = 1.05
"""How much more memory the server may take at the end than after the first third."""

PAIRS = 5
"""Runs of the frame path with and without clients."""
WARM = 50
"""Cycles after which memory may not grow any more."""
MOST_GROWN = 20_000
"""Bytes a cycle; a configuration that is never freed of each attribute of a stream is 50,000."""


@dataclass
class Server:
    """The Tango server's process, and the engine behind it."""

    service: Service
    plane: FakePlane
    pid: int
    device: str

    def resident(self) -> int:
        """Bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with running_service(folder) as (service, plane):
        server = EngineServer(service, ANY_PORT)
        server.start()
        port = free_port()
        with running(command_line(server.address, port=port)) as process:
            yield Server(service, plane, process.pid, f"tango://127.0.0.1:{port}/{REPEATER}#dbase=no")
        server.close()


@pytest.mark.parametrize(
    ("minutes", "pollers", "subscribers"),
    [
        pytest.param(0.05, 4, 2, id="short"),
        pytest.param(MINUTES, POLLERS, SUBSCRIBERS, marks=pytest.mark.soak, id="long"),
    ],
)
def test_all_see_every_last_value_and_nothing_grows(
    tmp_path: Path, minutes: float, pollers: int, subscribers: int
) -> None:
    steps = int(minutes * 60 / PERIOD)
    with serving(tmp_path) as server, clients(server.device, steps, pollers, subscribers) as watching_it:
        marks: list[tuple[float, float, int, int]] = []
        begin = time.monotonic()
        for step in range(1, steps + 1):
            server.service.write(dict.fromkeys(KEYS, step), ME)
            if step % 10 == 0:
                server.plane.receive(1)
            if step in (steps // 3, steps):
                marks.append((time.monotonic(), server.cpu(), server.resident(), server.descriptors()))
            time.sleep(max(0.0, begin + step * PERIOD - time.monotonic()))
        polled, subscribed = seen(watching_it).values()
    (t0, cpu0, memory0, files0), (t1, cpu1, memory1, files1) = marks
    polls = sum(one["count"] for one in polled) // len(NAMES)
    late = sum(one["late"] for one in polled)
    events = sum(one["count"] for one in subscribed)
    lost = sum(not one["is_done"] for one in (*polled, *subscribed))
    median, p99, longest = (1e3 * max(one[of] for one in polled) for of in ("median", "p99", "longest"))
    in_time, cores, load = 100 * (1 - late / max(polls, 1)), (cpu1 - cpu0) / (t1 - t0), os.getloadavg()[0]
    print(
        f"\nTango soak, {t1 - begin:.0f} s, {pollers} clients poll {POLLED} attributes at 10 Hz, "
        f"{subscribers} subscribe:\n"
        f"polls in time {in_time:.2f} % ({late} of {polls} late; wanted 99 % or more), "
        f"the slowest client's median {median:.1f}, 99 % {p99:.1f}, longest {longest:.0f} ms; "
        f"{steps * len(KEYS) / (t1 - begin):.0f} changes/s, {events} events, "
        f"clients without every last value {lost} (wanted 0); "
        f"server {cores:.2f} cores (wanted less than 0.5), "
        f"{memory0 / 1e6:.1f} -> {memory1 / 1e6:.1f} MB, {files0} -> {files1} descriptors; load {load:.1f}"
    )
    for one in (*polled, *subscribed):
        assert (one["is_done"], one["fallen"], one["errors"]) == (True, 0, 0)
    assert memory1 < memory0 * FLAT
    assert files1 <= files0


@pytest.mark.soak
def test_the_frame_path_does_not_feel_them() -> None:
    """No frame and no last value is lost; the ratio is printed, since a busy machine moves it."""
    print()
    for row in tango_load.under_load(PAIRS):
        print("  ".join(row.cells))


@pytest.mark.parametrize("cycles", [150, pytest.param(1000, marks=pytest.mark.soak)])
def test_streams_come_and_go_under_a_connected_client(tmp_path: Path, cycles: int) -> None:
    with serving(tmp_path) as server:
        proxy = tango.DeviceProxy(server.device)
        until(lambda: proxy.State() == tango.DevState.STANDBY, "the engine to be found")
        memory, files = 0, 0
        with watching(proxy, "Stream3EveryNth") as watch:
            for cycle in range(1, cycles + 1):
                stream = {"address": "tcp://127.0.0.1:19612", "every_nth": cycle}
                proxy.Configure(json.dumps({"streams": {"third": stream}}))
                watch.next_value(cycle)
                assert (proxy.Stream3Name, proxy.Stream3EveryNth) == ("third", cycle)
                proxy.Configure(json.dumps({"streams": {"third": None}}))
                watch.next_where(lambda told: told.quality == tango.AttrQuality.ATTR_INVALID)
                assert list(proxy.StreamNames)[:3] == ["live", "preview", ""]
                if cycle == WARM:
                    memory, files = server.resident(), server.descriptors()
        grown = (server.resident() - memory) / (cycles - WARM)
        assert grown < MOST_GROWN, f"{grown:.0f} bytes a cycle"
        assert server.resident() < memory * FLAT
        assert server.descriptors() <= files
