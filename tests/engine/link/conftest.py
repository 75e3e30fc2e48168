"""An engine on a fake data plane, served at its address, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fakes import FakePlane

from repstream import Client
from repstream.link.server import EngineServer
from repstream.service.service import Service

FREE = "tcp://127.0.0.1:*"


@pytest.fixture
def server(both: tuple[Service, FakePlane]) -> Iterator[EngineServer]:
    server = EngineServer(both[0], FREE)
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(server: EngineServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client
