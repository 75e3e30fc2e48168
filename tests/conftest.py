"""What tests of several rooms need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import settings

from tests.sockets import keeping_context
from tests.storage import Storage, build

# A machine that does other things as well is slow now and then; no property is about time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with keeping_context() as context:
        yield context


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes storage misbehave; needs a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
            pytest.fail("no C compiler: apt install gcc")
        pytest.skip("no C compiler: apt install gcc")
    return build(compiler, tmp_path_factory.mktemp("shim") / "storage.so")


@pytest.fixture
def storage(shim: Path, tmp_path: Path) -> Iterator[Storage]:
    """Storage of a process that is started with its `environment`; it behaves again at the end."""
    storage = Storage(shim, tmp_path)
    yield storage
    storage.does("")


PROGRAMS = ("page", "panels", "cli", "recipes", "examples", "faults", "integration", "ioc", "device_servers")
"""Rooms whose tests start whole programs and wait for them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    rooms = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        room = item.path.relative_to(rooms).parts[0]
        return PROGRAMS.index(room) if room in PROGRAMS else len(PROGRAMS)

    items.sort(key=rank)
