"""What tests of several rooms need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage import Storage, build


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
