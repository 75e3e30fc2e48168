"""Nobody else changes a file that is being written: refused by a lock, or noticed where there is none."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.engine.files.samples import images, payload, plan, rows

from repstream.errors import Refused, StorageError
from repstream.files import FrameFile, Placeholder, check_target, resolve_roots
from repstream.files.plan import FilePlan
from repstream.files.reader import FileReader
from repstream.files.row_file import RowFile
from repstream.files.series import FileSeries, part_path
from repstream.files.verify import verify

DONE = {"outcome": "completed", "series": 1, "stop_time": 1.7e9}


def begun(path: Path, **changes: Any) -> tuple[FilePlan, FrameFile]:
    of = plan(path, **changes)
    return of, FrameFile.create(of)


def add(of: FilePlan, file: FrameFile | FileSeries, count: int) -> None:
    first = file.places
    file.append([payload(of, n) for n in range(first, first + count)], rows(of, first, count))


def master(path: Path, per_file: int) -> tuple[FilePlan, FileSeries]:
    of = plan(path)
    file = Placeholder.create(path, "det", {}).become(of.shape, of.dtype, of.members, "none", per_file)
    assert isinstance(file, FileSeries)
    return of, file


@pytest.mark.parametrize("mode", ["r+", "a"])
def test_who_opens_a_growing_file_to_change_it_is_refused(tmp_path: Path, mode: str) -> None:
    of, file = begun(tmp_path / "a.h5")
    add(of, file, 3)
    for locking in (True, "best-effort", None):
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(file.path, mode, locking=locking)
    add(of, file, 3)
    file.finish({**DONE, "written": 6})
    assert verify(file.path).complete
    with h5py.File(file.path, mode) as changed:
        changed["/entry/title"] = "afterwards"
    assert verify(file.path).complete


READ = """
import sys, h5py
for options in ({}, {"swmr": True}, {"locking": True}, {"locking": False}, {"locking": "best-effort"}):
    with h5py.File(sys.argv[1], "r", **options) as file:
        assert len(file["/entry/data/data"]) == 3, options
        assert file["/entry/data/data"][2].any()
"""


@pytest.mark.parametrize("use", ["TRUE", "FALSE", "BEST_EFFORT", None])
def test_every_kind_of_reader_is_let_in(tmp_path: Path, use: str | None) -> None:
    of, file = begun(tmp_path / "a.h5")
    add(of, file, 3)
    environment = {**os.environ, "HDF5_USE_FILE_LOCKING": use} if use else dict(os.environ)
    subprocess.run([sys.executable, "-c", READ, str(file.path)], env=environment, check=True)
    add(of, file, 1)


def test_waiting_files_masters_parts_and_metadata_are_locked_too(tmp_path: Path) -> None:
    of, series = master(tmp_path / "a.h5", 2)
    add(of, series, 3)
    waiting = Placeholder.create(tmp_path / "b.h5", "det", {})
    meta = RowFile(plan(tmp_path / "c.h5"), Placeholder.create(tmp_path / "c.h5", "det", {}).state)
    for path in (series.path, part_path(series.path, 2), waiting.path, meta.path):
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(path, "a")


def test_overwriting_spares_a_file_that_is_being_written(tmp_path: Path) -> None:
    _, file = begun(tmp_path / "a.h5")
    roots = resolve_roots([str(tmp_path)])
    with pytest.raises(Refused, match="is being written: choose another name"):
        check_target(file.path, roots, overwrite=True)
    with pytest.raises(StorageError, match="is being written and stays as it is"):
        FrameFile.create(plan(file.path, overwrite=True))
    with FileReader(file.path):
        file.close()
    add(*begun(file.path, overwrite=True), 1)


def test_a_reader_does_not_keep_a_finished_file_from_being_overwritten(tmp_path: Path) -> None:
    _, file = begun(tmp_path / "a.h5")
    file.finish(DONE)
    with h5py.File(file.path, locking=True):
        add(*begun(file.path, overwrite=True), 1)


def test_a_file_that_another_program_writes_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", locking=True), pytest.raises(StorageError, match="is being written"):
        FrameFile.create(plan(path, overwrite=True))
    FrameFile.create(plan(path, overwrite=True)).finish(DONE)


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    add(*begun(tmp_path / "a.h5"), 2)
    assert len(h5py.File(tmp_path / "a.h5", locking=False)["/entry/data/data"]) == 2


def unlocked_append(path: Path) -> None:
    """What a tool does that opens the file for changing, without a lock, while it grows."""
    with h5py.File(path, "a", locking=False) as file:
        assert file["/entry/data/data"][:].any()


def cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def overwrite_beginning(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not HDF5")


@pytest.mark.parametrize("damage", [unlocked_append, cut_to_nothing, overwrite_beginning])
def test_the_writer_notices_who_changes_its_file(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    of, file = begun(tmp_path / "a.h5")
    add(of, file, 3)
    file.check_in_place()
    damage(file.path)
    with pytest.raises(StorageError, match="another program"):
        file.check_in_place()
    before = file.path.read_bytes()[:4096]
    with pytest.raises(StorageError, match="another program"):
        file.finish({**DONE, "written": 3})
    assert file.path.read_bytes()[:4096] == before


def test_a_cut_between_two_looks_is_noticed_by_who_goes_on_writing(tmp_path: Path) -> None:
    of, file = begun(tmp_path / "a.h5", shape=(1024, 1024))
    pixels = np.ones(of.shape, of.dtype)
    with h5py.File(file.path, "a", locking=False):
        for number in range(30):
            file.append([pixels], rows(of, number, 1))
    with pytest.raises(StorageError, match="another program"):
        for number in range(30, 600):
            file.append([pixels], rows(of, number, 1))


def test_a_master_and_a_waiting_file_notice_it_too(tmp_path: Path) -> None:
    of, series = master(tmp_path / "a.h5", 5)
    add(of, series, 3)
    waiting = Placeholder.create(tmp_path / "b.h5", "det", {})
    for file in (series, waiting):
        file.check_in_place()
        os.truncate(file.path, 100)
        with pytest.raises(StorageError, match=f"{file.path.name} is damaged: another program cut it"):
            file.check_in_place()


def removed(part: Path) -> None:
    part.unlink()


def renamed(part: Path) -> None:
    part.rename(part.with_name("elsewhere.h5"))


def cut(part: Path) -> None:
    os.truncate(part, part.stat().st_size - 1)


def replaced(part: Path) -> None:
    copy = part.with_suffix(".copy")
    copy.write_bytes(part.read_bytes())
    copy.replace(part)


@pytest.mark.parametrize("harm", [removed, renamed, cut, replaced])
def test_a_finished_part_has_to_stay(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    of, file = master(tmp_path / "a.h5", 2)
    add(of, file, 7)
    file.check_in_place()
    harm(part_path(file.path, 1))
    with pytest.raises(StorageError, match=r"a_part0001.h5, a finished part, (cannot be found|was)"):
        file.check_in_place()
    with pytest.raises(StorageError, match="a finished part"):
        file.finish({**DONE, "written": 7})
    file.finish({**DONE, "outcome": "failed", "message": "ERROR:part", "written": 7})
    assert "failed: ERROR:part" in verify(file.path).problems


def test_a_finished_part_may_be_moved_if_a_link_leads_to_it(tmp_path: Path) -> None:
    of, file = master(tmp_path / "a.h5", 2)
    add(of, file, 7)
    (tmp_path / "archive").mkdir()
    part, there = part_path(file.path, 1), tmp_path / "archive" / "first.h5"
    there.write_bytes(part.read_bytes())
    link = tmp_path / "link"
    link.symlink_to(there)
    link.replace(part)
    file.check_in_place()
    file.finish({**DONE, "written": 7})
    assert verify(file.path).complete
    assert np.array_equal(h5py.File(file.path)["/entry/data/data"][:], images(7))
