"""A device that goes leaves nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import tango

from tests.device_servers import coming_and_going
from tests.device_servers.serving import engine_at, free_port, running, until

CLASSES = ("RepStream", "HDF5Writer", "LiveStream", "LivePicture", "LimaCCDs")


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tango.DeviceProxy]:
    port = free_port()
    with engine_at(tmp_path_factory.mktemp("engine")) as (address, _):
        line = [sys.executable, "-m", coming_and_going.__name__, "1", "--nodb", "--engine", address]
        devices = [f"{coming_and_going.CLASS}::{coming_and_going.DEVICE}", "LimaCCDs::test/lima/0"]
        line += ["--port", str(port), *(part for device in devices for part in ("--device", device))]
        with running(line):
            yield tango.DeviceProxy(f"tango://127.0.0.1:{port}/{coming_and_going.DEVICE}#dbase=no")


@pytest.mark.parametrize("tango_class", CLASSES)
def test_a_device_that_is_gone_is_not_in_memory_any_more(maker: tango.DeviceProxy, tango_class: str) -> None:
    before = maker.Alive(tango_class)
    assert before > 0
    maker.MakeAndDestroy(tango_class)
    until(lambda: maker.Alive(tango_class) == before, "the end of those that were made")
