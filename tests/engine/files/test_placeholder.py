from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.engine.files.samples import MEMBERS, images, names, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import Placeholder

FACTS = {"run_id": 7, "start_time": 1.5e9}


def test_the_first_frame_turns_it_into_the_real_file(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    held = Placeholder.create(of.path, "det", FACTS)
    with h5py.File(of.path) as read:
        assert read["/det/data"].shape == (0, 0, 0)
        assert read["/entry/acquisition/run_id"][()] == 7
    file = held.become(of.shape, of.dtype, MEMBERS)
    file.append([payload(of, 0), payload(of, 1)], rows(of, 0, 2))
    file.finish({"outcome": "Completed"})
    with h5py.File(of.path) as read:
        assert np.array_equal(read["/entry/data/data"][:], images(2))
        assert read["/entry/acquisition/run_id"][()] == 7
    assert names(tmp_path) == ["a.h5"]


def test_it_refuses_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"dear data")
    with pytest.raises(StorageError, match="exists"):
        Placeholder.create(tmp_path / "a.h5", "det", FACTS)
    assert (tmp_path / "a.h5").read_bytes() == b"dear data"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_took_its_name_meanwhile_stays(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.h5"
    held = Placeholder.create(path, "det", FACTS, overwrite=overwrite)
    path.unlink()
    path.write_bytes(b"someone else's")
    with pytest.raises(StorageError, match="exists"):
        held.become((4, 6), np.dtype("u2"))
    assert path.read_bytes() == b"someone else's"
    held.close()


def test_without_images_it_still_says_how_it_ended(tmp_path: Path) -> None:
    held = Placeholder.create(tmp_path / "a.h5", "det", FACTS)
    held.finish({"outcome": "Interrupted", "stop_time": 1.6e9, "received": 0})
    with h5py.File(tmp_path / "a.h5") as read:
        assert read["/entry/acquisition/outcome"][()] == b"Interrupted"
