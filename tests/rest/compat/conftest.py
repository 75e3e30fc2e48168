"""The standard DAQ's view of a service on a fake data plane, and its published client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from std_daq_client import StdDaqClient

from repstream.link.history import History
from repstream.service.service import Service
from repstream_http import HttpServer
from repstream_http.compat.std_daq.app import create_app
from tests.fakes import FakePlane


@pytest.fixture
def url(running: tuple[Service, FakePlane]) -> Iterator[str]:
    with (
        closing(History(running[0])) as history,
        HttpServer(create_app(running[0], history), port=0) as server,
    ):
        yield server.url


@pytest.fixture
def daq(url: str) -> StdDaqClient:
    return StdDaqClient(url)
