from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture
def h5dump() -> str:
    """The HDF5 tool, where it is installed; REPSTREAM_REQUIRE_ALL=1 wants it to be."""
    found = shutil.which("h5dump")
    if found:
        return found
    reason = "h5dump is not installed (Debian: hdf5-tools)"
    if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
