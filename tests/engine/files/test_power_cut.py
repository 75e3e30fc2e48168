"""What is on the disk when the power fails: the order of writes and syncs, as the system saw it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from tests.engine.files.samples import images
from tests.engine.files.syncing_process import BATCH, LATE, TURNS
from tests.storage import Call, Storage, calls_in, power_cut

from repstream.files.plan import MISSING

ROOT = Path(__file__).parents[3]
COUNT = BATCH * TURNS
EXPECTED = images(COUNT)

Last = Callable[[int], int]


@pytest.fixture(params=["none", "bitshuffle_lz4"])
def calls(request: pytest.FixtureRequest, storage: Storage, tmp_path: Path) -> list[Call]:
    """What a whole file takes, from its first byte to its last sync."""
    log = tmp_path / "log"
    environment = {**os.environ, **storage.environment, "STORAGE_SHIM_LOG": str(log)}
    command = [
        sys.executable,
        "-m",
        "tests.engine.files.syncing_process",
        str(tmp_path / "a.h5"),
        request.param,
    ]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return calls_in(log)


def check(path: Path, said: int) -> None:
    """Assert that the file can be read and holds what was said to be safe, all of it right."""
    with h5py.File(path) as read:
        found, table = read["/det/data"][:], read["/det/metadata"][:]
        extra = read["/det/extra_values"][:]
    assert len(table) >= len(found) >= said
    table = table[: len(found)]
    assert np.array_equal(table["image_id"], np.arange(len(found)))
    right = (found == EXPECTED[: len(found)]).all(axis=(1, 2))
    blank = table["status"] == MISSING
    assert right[~blank].all()
    assert (right | ~found.any(axis=(1, 2)))[blank].all()
    assert set(np.flatnonzero(blank)) <= set(range(LATE, COUNT, BATCH))
    assert set(extra["image"]) >= set(range(0, said, 3))
    assert (extra["value"] == 10 * extra["image"]).all()


def moments(calls: Sequence[Call], seed: int) -> Sequence[Last]:
    """When each page was written last: never since the sync, at any time, or only the newest."""
    some, count = random.Random(seed), len(calls)

    def newest(writes: int) -> Last:
        pages = {page for call in calls[-writes:] for page in call.pages}
        return lambda page: count if page in pages else 0

    return [
        lambda page: 0,
        lambda page: some.choice([0, count]),
        lambda page: some.randint(0, count),
        newest(1),
        newest(2),
    ]


def test_no_power_cut_takes_what_was_said_to_be_safe(calls: list[Call], tmp_path: Path) -> None:
    inode = next(call.inode for call in calls if call.what == "write")
    written = [call for call in calls if call.inode == inode and call.what != "said"]
    found = tmp_path / "found.h5"
    power_cut(written, lambda page: len(written), found)
    assert found.read_bytes() == (tmp_path / "a.h5").read_bytes()
    said, checked = 0, 0
    for number, call in enumerate(calls):
        if call.what == "said":
            said = call.inode
        if not said:
            continue
        own = [one for one in calls[: number + 1] if one.inode == inode and one.what != "said"]
        for last in moments(own, number):
            power_cut(own, last, found)
            check(found, said)
            checked += 1
    assert said == COUNT
    assert checked > 100


def test_what_is_safe_has_its_name_on_the_disk(calls: list[Call], tmp_path: Path) -> None:
    folder = tmp_path.stat().st_ino
    first = next(n for n, call in enumerate(calls) if call.what == "said")
    assert [call.what for call in calls[:first] if call.inode == folder] == ["sync"]
    last = [call for call in calls if call.what != "said"][-2:]
    file = (tmp_path / "a.h5").stat().st_ino
    assert [(call.what, call.inode) for call in last] == [("sync", file), ("sync", folder)]
