"""A real service on a fake data plane, a real HTTP server of it on a free port, and a client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from repstream.service.service import Service
from repstream_http import HttpServer, create_app
from tests.fakes import FakePlane, running_service


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Service, FakePlane]]:
    with running_service(tmp_path) as service_and_plane:
        yield service_and_plane


@pytest.fixture
def service(running: tuple[Service, FakePlane]) -> Service:
    return running[0]


@pytest.fixture
def plane(running: tuple[Service, FakePlane]) -> FakePlane:
    return running[1]


@pytest.fixture
def server(service: Service) -> Iterator[HttpServer]:
    with HttpServer(create_app({"test": service}), port=0) as server:
        yield server


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def api(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=30) as client:
        yield client
