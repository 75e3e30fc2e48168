"""Tango's own log of a device: levels and targets are set as for any other device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tango

from repstream_tango.names import SERVER
from tests.device_servers.conftest import ELSEWHERE, Bench
from tests.device_servers.serving import REPEATER, until, writer


@pytest.fixture
def log(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """A file that the devices log to from level INFO on."""
    server = tango.DeviceProxy(bench.trl(f"dserver/{SERVER}/1"))
    path = tmp_path / "device.log"
    devices = [REPEATER, writer(1)]
    for device in devices:
        server.AddLoggingTarget([device, f"file::{path}"])
    server.SetLoggingLevel([[4, 4], devices])
    yield path
    server.SetLoggingLevel([[2, 2], devices])
    for device in devices:
        server.RemoveLoggingTarget([device, f"file::{path}"])


def test_what_is_asked_and_refused_and_what_becomes_of_it_is_logged(bench: Bench, log: Path) -> None:
    bench.repeater.Start()
    with pytest.raises(tango.DevFailed):
        bench.repeater.Initialize()
    with pytest.raises(tango.DevFailed):
        bench.writer.Folder = "relative/path"
    bench.writer.NumImages = 5
    bench.writer.Start()
    bench.plane.fail(1, "No space left on device")
    wanted = [
        ("INFO", REPEATER, "Start, asked by tango pid"),
        ("WARN", REPEATER, "not possible in RUNNING"),
        ("WARN", writer(1), "must be an absolute path"),
        ("INFO", REPEATER, "RUNNING: Running"),
        ("WARN", writer(1), "ALARM: Writer main is READY"),
    ]
    until(lambda: all(found(log, *one) for one in wanted), "the lines of the log")
    assert "No space left on device" in log.read_text()


def test_below_its_level_nothing_is_logged(bench: Bench, log: Path) -> None:
    tango.DeviceProxy(bench.trl(f"dserver/{SERVER}/1")).SetLoggingLevel([[2], [REPEATER]])
    before = log.read_text().count(REPEATER)
    bench.repeater.Start()
    bench.service.execute("engine.stop", None, ELSEWHERE).wait(20)
    assert log.read_text().count(REPEATER) == before


def found(log: Path, level: str, device: str, text: str) -> bool:
    """Whether an event of log4j's XML has these."""
    events = log.read_text().split("<log4j:event")
    return any(f'level="{level}"' in one and device in one and text in one for one in events)
