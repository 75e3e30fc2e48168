"""Following files with readers in other processes than the writer."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.engine.files.samples import image, payload, plan, rows
from tests.engine.files.test_kill import EXPECTED, ROOT, writer

from repstream.errors import StorageError
from repstream.files import FrameFile, Placeholder
from repstream.files.reader import FileReader, follow

swmr = pytest.mark.parametrize("swmr", [False, True], ids=["plain", "swmr"])


@swmr
def test_what_is_read_is_what_was_written(tmp_path: Path, swmr: bool) -> None:
    of = plan(tmp_path / "a.h5", compression="bitshuffle_lz4")
    file = FrameFile.create(of)
    with FileReader(of.path, swmr=swmr) as reader:
        assert (reader.count, reader.extent.last_id, reader.outcome) == (0, None, "unfinished")
        for count in (3, 70):
            numbers = range(file.count, count)
            file.append([payload(of, n) for n in numbers], rows(of, file.count, len(numbers)))
            reader.refresh()
            assert (reader.count, reader.shape, reader.dtype) == (count, (4, 6), np.dtype("<u2"))
            assert np.array_equal(reader.image(count - 1), image(count - 1))
            assert np.array_equal(reader.rows(), rows(of, 0, count))
            assert reader.extent.last_id == count - 1
        file.finish({"outcome": "completed", "written": 70})
        reader.refresh()
        assert (reader.outcome, reader.extent.finished, reader.result("written")) == ("completed", True, 70)
        with pytest.raises(IndexError):
            reader.image(70)


@swmr
def test_the_first_image_replaces_the_file_and_readers_notice(tmp_path: Path, swmr: bool) -> None:
    waiting = Placeholder.create(tmp_path / "a.h5", "det", {})
    with FileReader(tmp_path / "a.h5", swmr=swmr) as reader:
        assert (reader.count, reader.rows()) == (0, None)
        with pytest.raises(StorageError, match="no image yet"):
            _ = reader.shape
        of = plan(tmp_path / "a.h5")
        file = waiting.become(of.shape, of.dtype, of.members)
        file.append([payload(of, 0)], rows(of, 0, 1))
        reader.refresh()
        assert np.array_equal(reader.image(0), image(0))
    file.close()


@swmr
def test_a_reader_beside_a_fast_writer_sees_complete_images_only(tmp_path: Path, swmr: bool) -> None:
    path, counts = tmp_path / "a.h5", []
    with writer(path, "bitshuffle_lz4", 3) as process:
        assert process.stdout
        process.stdout.read(8)
        for reader, extent in itertools.islice(follow(path, swmr=swmr, interval=0), 150):
            process.stdout.read1(1 << 16)
            assert extent.last_id == extent.count - 1
            assert np.array_equal(reader.image(extent.count - 1), EXPECTED[(extent.count - 1) % 97])
            counts.append(extent.count)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


@swmr
def test_follow_ends_with_the_file_and_misses_nothing(tmp_path: Path, swmr: bool) -> None:
    of = plan(tmp_path / "a.h5")
    file = FrameFile.create(of)
    command = [sys.executable, "-m", "repstream_cli", "follow", "--json", "--interval", "0.01", str(of.path)]
    with subprocess.Popen(
        command + ["--swmr"] * swmr, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as reader:
        for first in range(0, 3000, 10):
            file.append([payload(of, n % 50) for n in range(10)], rows(of, first, 10))
        file.finish({"outcome": "interrupted", "written": 3000})
        seen = json.loads(reader.communicate(timeout=60)[0])
    assert reader.returncode == 0
    assert seen == {"images": 3000, "last_id": 2999, "outcome": "interrupted"}


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        FileReader(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(StorageError, match="cannot be opened"):
        FileReader(tmp_path / "text.h5")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(StorageError, match="is no regular file"):
        FileReader(tmp_path / "pipe.h5")
