"""One engine and one Tango server for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import tango

from repstream.link.server import EngineServer
from repstream.parameters.facts import Value
from repstream.protocol import Requester
from repstream.service.service import Service
from tests.device_servers.serving import ANY_PORT, REPEATER, Trl, stream, tango_server, until, writer
from tests.fakes import FakePlane, running_service

ELSEWHERE = Requester("http", "somebody", "elsewhere")


@dataclass
class Bench:
    """An engine, the Tango server on it, and proxies of its devices."""

    service: Service
    plane: FakePlane
    trl: Trl
    repeater: tango.DeviceProxy
    writer: tango.DeviceProxy

    def elsewhere(self, **values: Value) -> None:
        """Write through another front end; keys with ``__`` for ``.``."""
        self.service.write({key.replace("__", "."): value for key, value in values.items()}, ELSEWHERE)

    def clear(self) -> None:
        """Stopped, without an error, nobody locked."""
        self.service.execute("writers.1.abort", None, ELSEWHERE)
        self.service.execute("engine.stop", None, ELSEWHERE).wait(20)
        self.service.execute("engine.unlock", "force", ELSEWHERE)
        self.service.execute("engine.initialize", None, ELSEWHERE)
        self.service.execute("engine.reset", None, ELSEWHERE)
        until(lambda: self.repeater.State() == tango.DevState.STANDBY, "the server to see a calm engine")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_service(tmp_path_factory.mktemp("engine")) as (service, plane):
        server = EngineServer(service, ANY_PORT)
        server.start()
        streams = [f"LiveStream::{stream(slot)}" for slot in (1, 2, 3)]
        with tango_server(server.address, slots=2, more=streams) as trl:
            proxies = tango.DeviceProxy(trl(REPEATER)), tango.DeviceProxy(trl(writer(1)))
            until(lambda: proxies[0].State() != tango.DevState.UNKNOWN, "the server to find the engine")
            yield Bench(service, plane, trl, *proxies)
        server.close()


@pytest.fixture
def bench(served: Bench) -> Bench:
    served.clear()
    return served
