"""Files against the definitions of NeXus, with the validator of the nexusformat package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import silx.io
from nexusformat.nexus import nxload
from nexusformat.nexus.validate import validate_file
from silx.io import nxdata
from tests.engine.files.samples import MEMBERS, payload, rows

from repstream.files import FilePlan, FrameFile, Placeholder

FACTS: dict[str, Any] = {"start_time": 1.7e9, "run_id": "7", "configuration": "{}"}
USERS = '{"sample": {"name": "A", "temperature": 80.5}, "energy": 12.4, "not a name": 1}'


def with_images(path: Path, compression: Any = "none") -> Path:
    of = FilePlan(path, "det", (4, 6), np.dtype("<u2"), MEMBERS, compression, FACTS, USERS)
    file = FrameFile.create(of)
    file.append([payload(of, number) for number in range(5)], rows(of, 0, 5))
    file.finish({"outcome": "completed", "stop_time": 1.7e9, "written": 5})
    return path


def without_images(path: Path) -> Path:
    Placeholder.create(path, "det", FACTS, user_metadata=USERS).finish({"stop_time": 1.7e9})
    return path


@pytest.mark.parametrize("make", [with_images, without_images])
def test_the_validator_finds_no_error(tmp_path: Path, make: Any) -> None:
    _, errors = validate_file(str(make(tmp_path / "a.h5")))
    assert errors == 0


def test_the_validator_would_find_one(tmp_path: Path) -> None:
    path = with_images(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["/det"].attrs["NX_class"] = "NXdetector"
    assert validate_file(str(path))[1] > 0


def test_a_reader_of_nexus_finds_what_to_plot(tmp_path: Path) -> None:
    found = nxload(str(with_images(tmp_path / "a.h5"))).get_default()
    assert found.nxpath == "/entry/data"
    assert found.nxsignal.shape == (5, 4, 6)


def test_the_viewer_of_silx_finds_the_stack_of_images(tmp_path: Path) -> None:
    with silx.io.open(str(with_images(tmp_path / "a.h5", "bitshuffle_lz4"))) as file:
        found = nxdata.get_default(file)
        assert (found.is_valid, found.interpretation, found.signal.shape) == (True, "image", (5, 4, 6))
    with silx.io.open(str(without_images(tmp_path / "b.h5"))) as file:
        assert file["/entry/data/data"].shape == (0, 0, 0)
