"""What a file is worth when its writer is killed at any moment, and to readers meanwhile."""

from __future__ import annotations

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

ROOT = Path(__file__).parents[3]
EXPECTED = images(97, shape=(32, 32))


@contextmanager
def writer(path: Path, compression: str, batch: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.engine.files.writer_process", str(path), compression, str(batch)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def check(path: Path, reported: int) -> int:
    """Assert that the file holds what was reported, all of it right; return how many images."""
    with h5py.File(path) as read:
        count = len(read["/det/data"])
        assert count >= reported
        found = read["/det/data"][:]
        assert np.array_equal(found, EXPECTED[np.arange(count) % 97])
        assert np.array_equal(read["/det/metadata"]["image_id"][:count], np.arange(count))
        assert read["/entry/acquisition/outcome"][()] == b"unfinished"
    return count


@pytest.mark.parametrize("compression", ["none", "bitshuffle_lz4"])
@pytest.mark.parametrize("batch", [1, 1, 3, 3, 64, 100])
def test_after_a_kill_every_reported_image_is_there(tmp_path: Path, compression: str, batch: int) -> None:
    path = tmp_path / "a.h5"
    with writer(path, compression, batch) as process:
        assert process.stdout
        received = process.stdout.read(8)
        deadline = time.monotonic() + random.uniform(0, 0.1)
        while time.monotonic() < deadline:
            received = process.stdout.read(8)
        process.kill()
        rest = process.stdout.read()
        numbers = received + rest[: len(rest) // 8 * 8]
        check(path, int.from_bytes(numbers[-8:], "little"))


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
                assert np.array_equal(data[count - 1], EXPECTED[(count - 1) % 97])
                assert len(read["/det/metadata"]) >= count
            seen.append(count)
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
