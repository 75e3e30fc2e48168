"""What a file is worth when its writer is killed at any moment, and to readers meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers filter 32008 for reading)
import numpy as np
import pytest
from tests.engine.files.samples import images
from tests.engine.files.writer_process import DIFFERENT, LATE

from repstream.files.plan import MISSING
from repstream.files.verify import verify

ROOT = Path(__file__).parents[3]
EXPECTED = images(DIFFERENT, shape=(32, 32))

SOAK_KILLS = int(os.environ.get("REPSTREAM_SOAK_KILLS", "2000"))


@contextmanager
def writer(
    path: Path, compression: str, batch: int, mode: str = "dense"
) -> Iterator[subprocess.Popen[bytes]]:
    module = "tests.engine.files.writer_process"
    command = [sys.executable, "-m", module, str(path), compression, str(batch), mode]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def write_and_kill(path: Path, compression: str, batch: int, mode: str) -> int:
    """Let a writer run for a moment and kill it; how many images it reported."""
    with writer(path, compression, batch, mode) as process:
        assert process.stdout
        received = process.stdout.read(8)
        deadline = time.monotonic() + random.uniform(0, 0.1)
        while time.monotonic() < deadline:
            received = process.stdout.read(8)
        process.kill()
        rest = process.stdout.read()
    numbers = received + rest[: len(rest) // 8 * 8]
    return int.from_bytes(numbers[-8:], "little")


def check(path: Path, reported: int, batch: int) -> None:
    """Assert that the file holds what was reported, all of it right."""
    with h5py.File(path) as read:
        count = len(read["/det/data"])
        found, table = read["/det/data"][:], read["/det/metadata"][:count]
        if "/det/extra_values" in read:
            extra = read["/det/extra_values"][:]
            assert extra["image"].tolist() == extra["image_id"].tolist()
            assert (extra["value"] == 10 * extra["image"]).all()
            assert set(extra["image"]) >= set(range(0, reported, 3))
        assert read["/entry/acquisition/outcome"][()] == b"unfinished"
    assert count >= reported
    assert np.array_equal(table["image_id"], np.arange(count))
    right = (found == EXPECTED[np.arange(count) % DIFFERENT]).all(axis=(1, 2))
    blank = table["status"] == MISSING
    assert right[~blank].all()
    assert (right | ~found.any(axis=(1, 2)))[blank].all()
    assert not blank[: max(0, reported - (LATE + 2) * batch)].any()


MODES = [
    ("none", 1, "dense"),
    ("none", 3, "dense"),
    ("none", 100, "dense"),
    ("bitshuffle_lz4", 1, "dense"),
    ("bitshuffle_lz4", 3, "dense"),
    ("bitshuffle_lz4", 64, "dense"),
    ("none", 3, "late"),
    ("bitshuffle_lz4", 3, "late"),
    ("bitshuffle_lz4", 16, "late"),
    ("none", 3, "synced"),
    ("none", 5, "gathered"),
    ("bitshuffle_lz4", 5, "gathered"),
    ("none", 7, "parts"),
    ("bitshuffle_lz4", 30, "parts"),
]
KINDS = sorted({mode for *_, mode in MODES})


@pytest.mark.parametrize("again", [1, 2])
@pytest.mark.parametrize(("compression", "batch", "mode"), MODES)
def test_after_a_kill_every_reported_image_is_there(
    tmp_path: Path, compression: str, batch: int, mode: str, again: int
) -> None:
    path = tmp_path / "a.h5"
    reported = write_and_kill(path, compression, batch, mode)
    check(path, reported, batch)
    if mode in ("dense", "gathered", "parts"):
        assert verify(path).problems == ["not finished: its writer is still at it, or was killed"]


@pytest.mark.parametrize("mode", ["dense", "late"])
def test_after_a_kill_the_tools_of_hdf5_read_the_file(tmp_path: Path, h5dump: str, mode: str) -> None:
    path = tmp_path / "a.h5"
    last = write_and_kill(path, "none", 3, mode) - 2
    command = [h5dump, "-d", "/det/data", "-s", f"{last},0,0", "-c", "1,32,32", "-y", "-w", "1", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    inside = text[text.index("DATA {") + len("DATA {") :].split("}")[0]
    numbers = [int(word.strip(",")) for word in inside.split()]
    assert numbers == EXPECTED[last % DIFFERENT].ravel().tolist()


def test_a_reader_in_another_process_never_fails(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.h5", []
    with writer(path, "none", 3) as process:
        assert process.stdout
        process.stdout.read(8)
        while len(seen) < 100:
            process.stdout.read1(1 << 16)
            with h5py.File(path) as read:
                data = read["/entry/data/data"]
                count = len(data)
                assert np.array_equal(data[count - 1], EXPECTED[(count - 1) % DIFFERENT])
                assert len(read["/det/metadata"]) >= count
            seen.append(count)
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


@pytest.mark.soak
def test_thousands_of_kills(tmp_path: Path) -> None:
    """As many as REPSTREAM_SOAK_KILLS says, 2,000 otherwise, at any batch size."""
    path = tmp_path / "a.h5"
    for number in range(SOAK_KILLS):
        compression = random.choice(["none", "bitshuffle_lz4"])
        mode, batch = random.choice(KINDS), random.randint(2, 130)
        reported = write_and_kill(path, compression, batch, mode)
        check(path, reported, batch)
        for left in tmp_path.iterdir():
            left.unlink()
        if number % 100 == 99:
            print(f"{number + 1} kills")
