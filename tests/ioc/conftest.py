"""An IOC on a real service with a fake data plane, and a client of it in another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from repstream.service.service import Service
from repstream_epics.server import IocServer
from tests.fakes import FakePlane, running_service
from tests.ioc.clients import Pyepics, tool

PREFIX = "T:IOC:"


@dataclass
class Bench:
    """What a test of the IOC works with; PV names are given without the prefix."""

    service: Service
    plane: FakePlane
    ioc: IocServer
    ca: Pyepics

    def get(self, pv: str) -> Any:
        return self.ca.value(PREFIX + pv)

    def alarm(self, pv: str) -> tuple[int, int]:
        """(status, severity)"""
        got = self.ca.do("get", PREFIX + pv)
        return got["status"], got["severity"]

    def put(self, pv: str, value: Any) -> None:
        """Write and wait for the answer, which must come."""
        assert self.ca.do("put", PREFIX + pv, value), f"the put to {pv} was not answered"

    def press(self, pv: str) -> Queue[dict[str, Any]]:
        """Give a command without waiting: the queue gets the answer."""
        return self.ca.ask("put", PREFIX + pv, 1)

    def tool(self, name: str, *arguments: str) -> str:
        """What a tool of EPICS base says; ``@`` stands for the prefix."""
        done = tool(self.ioc.port, name, *(a.replace("@", PREFIX) for a in arguments))
        return done.stdout + done.stderr


@contextmanager
def running_bench(folder: Path) -> Iterator[Bench]:
    with (
        running_service(folder) as (service, plane),
        IocServer({"test": service}, PREFIX, port=0) as ioc,
        Pyepics(ioc.port) as ca,
    ):
        yield Bench(service, plane, ioc, ca)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with running_bench(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """For tests that leave it as it was, or do not mind how it is."""
    with running_bench(tmp_path_factory.mktemp("ioc")) as made:
        yield made
