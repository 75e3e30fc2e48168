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

# A program that a test starts says where it was when it crashes.
os.environ.setdefault("PYTHONFAULTHANDLER", "1")

# OpenMP's threads, that pack images, spin while they wait: beside other tests this takes most of the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


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

PROGRAM_TIMEOUT = 120
"""Seconds that such a test has, twice what others have, where neither command line nor test says so."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=_rank)
    for item in items:
        asked = item.config.getoption("timeout") is not None or item.get_closest_marker("timeout")
        if _rank(item) < len(PROGRAMS) and not asked:
            item.add_marker(pytest.mark.timeout(PROGRAM_TIMEOUT))


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def _rank(item: pytest.Item) -> int:
    room = _room(item)
    return PROGRAMS.index(room) if room in PROGRAMS else len(PROGRAMS)
