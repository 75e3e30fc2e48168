from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.engine.files.samples import images, payload, plan, rows

from repstream.errors import StorageError
from repstream.files import FrameFile, raw_io

ROOT = Path(__file__).parents[3]

FILL = """
import resource, sys
from pathlib import Path
from repstream.errors import StorageError
from repstream.files import FrameFile
from tests.engine.files.samples import payload, plan, rows
of = plan(Path(sys.argv[1]), shape=(64, 64))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
file = FrameFile.create(of)
try:
    while True:
        file.append([payload(of, file.count + i) for i in range(5)], rows(of, file.count, 5))
except StorageError as error:
    first = str(error)
try:
    file.append([payload(of, 0)], rows(of, 0, 1))
except StorageError as error:
    assert str(error) == first
file.finish({"outcome": "FAILED", "message": first, "written": file.count})
print(file.count)
"""


def test_a_file_that_may_not_grow_keeps_what_it_has_and_its_results(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    count = int(done.stdout)
    with h5py.File(path) as read:
        assert count == len(read["/det/data"]) > 0
        assert np.array_equal(read["/det/data"][:], images(count, shape=(64, 64)))
        assert "File too large" in read["/entry/acquisition/message"].asstr()[()]
        assert read["/entry/acquisition/written"][()] == count
    assert path.stat().st_size <= 500_000


def test_a_descriptor_that_went_bad_fails_the_file(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    file.append([payload(of, 0)], rows(of, 0, 1))
    read_only = os.open(of.path, os.O_RDONLY)
    os.dup2(read_only, file._fd)
    os.close(read_only)
    with pytest.raises(StorageError, match="Bad file descriptor"):
        file.append([payload(of, 1)], rows(of, 1, 1))
    with pytest.raises(StorageError, match="cannot be finished"):
        file.finish({"outcome": "FAILED"})
    with h5py.File(of.path) as read:
        assert np.array_equal(read["/det/data"][:], images(1))


def test_a_write_that_ends_early_is_continued(tmp_path: Path) -> None:
    buffers = [b"abc", bytearray(b"defgh"), np.arange(4, dtype=">u2"), b"", b"xyz"]
    sizes = [3, 5, 8, 0, 3]
    whole = b"".join(bytes(memoryview(buffer).tobytes()) for buffer in buffers)
    for done in range(len(whole)):
        with (tmp_path / "a").open("w+b") as file:
            file.write(whole[:done])
            file.flush()
            raw_io._write_rest(file.fileno(), buffers, sizes, done, 0)
            assert (tmp_path / "a").read_bytes() == whole


def test_more_buffers_than_one_call_takes(tmp_path: Path) -> None:
    of = plan(tmp_path / "a.h5", "u1", (1, 3))
    file = FrameFile.create(of)
    count = 2 * os.sysconf("SC_IOV_MAX") + 5
    file.append([bytes([number % 256] * 3) for number in range(count)], rows(of, 0, count))
    file.finish({})
    with h5py.File(of.path) as read:
        assert read["/det/data"][:, 0, 2].tolist() == [number % 256 for number in range(count)]


def test_a_full_device_is_told_in_the_systems_words() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError) as told:
        raw_io.write_buffers(fd, [b"abc"], [3], 0)
    os.close(fd)
    assert told.value.errno == errno.ENOSPC
