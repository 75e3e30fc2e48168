"""One engine and one Tango server for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repstream.link.server import EngineServer
from tests.device_servers.serving import ANY_PORT, tango_server
from tests.panels.stage import LIMA, PYTHON, Stage, needed


@pytest.fixture(scope="module")
def python() -> Path:
    return needed(PYTHON)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[tuple[Stage, Any]]:
    running = Stage(tmp_path_factory.mktemp("files"))
    server = EngineServer(running.service, ANY_PORT)
    server.start()
    with tango_server(server.address, slots=4, more=[f"LimaCCDs::{LIMA}"]) as trl:
        yield running, trl
    server.close()
    running.close()
