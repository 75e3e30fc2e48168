"""An engine on a fake data plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import FakePlane, running_service

from repstream.service.service import Service


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Service, FakePlane]]:
    with running_service(tmp_path) as pair:
        yield pair


@pytest.fixture
def service(both: tuple[Service, FakePlane]) -> Service:
    return both[0]


@pytest.fixture
def plane(both: tuple[Service, FakePlane]) -> FakePlane:
    return both[1]
