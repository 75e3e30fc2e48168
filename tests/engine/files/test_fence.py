"""A start of a data plane that was followed by another names no file any more."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.engine.files.samples import image, names, plan, rows

from repstream.errors import StorageError
from repstream.files import fence
from repstream.files.fence import Start
from repstream.files.placeholder import Placeholder
from repstream.files.plan import FilePlan
from repstream.files.publish import publish
from repstream.files.series import FileSeries
from repstream.files.verify import verify

ROOT = Path(__file__).parents[3]
PER_FILE = 4
STOPS = """
import os, signal, sys
from pathlib import Path
from repstream.files.fence import Start
from repstream.files.publish import publish

def judge():
    os.kill(os.getpid(), signal.SIGSTOP)
    return True

os.close(publish(Path(sys.argv[1]), b"old", judge, 0, Start("one", 1, "north")))
"""


def start(number: int, identity: str = "one") -> Start:
    return Start(identity, number, "north" if number == 1 else "south")


def put(path: Path, data: bytes, of: Start | None, *, replace: bool = True) -> None:
    os.close(publish(path, data, lambda: replace, 0, of))


def test_an_earlier_start_is_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path / "a", b"1", start(1))
    fence.check(tmp_path, start(1))
    put(tmp_path / "a", b"2", start(2))
    said = r"started anew on south and writes in .*: this is its start 1, that one is 2; nothing more"
    with pytest.raises(StorageError, match=said):
        put(tmp_path / "a", b"1", start(1))
    with pytest.raises(StorageError, match=said):
        fence.check(tmp_path, start(1))
    assert (tmp_path / "a").read_bytes() == b"2"
    assert names(tmp_path) == [fence.NAME, "a"]


def test_other_engines_and_those_that_count_nothing_write_on(tmp_path: Path) -> None:
    put(tmp_path / "a", b"2", start(2))
    put(tmp_path / "b", b"1", start(1, "another"))
    put(tmp_path / "c", b"0", None)
    fence.check(tmp_path, start(1, "another"))
    assert (tmp_path / fence.NAME).read_text() == "one 2 south\nanother 1 north\n"


def test_who_counts_nothing_leaves_no_lock_behind(tmp_path: Path) -> None:
    put(tmp_path / "a", b"0", None)
    fence.check(tmp_path, start(1))
    assert names(tmp_path) == ["a"]


def test_a_line_that_is_unfinished_says_nothing(tmp_path: Path) -> None:
    (tmp_path / fence.NAME).write_bytes(b"one 7\n\xff\xfe x y\ntwo 3 east\non")
    put(tmp_path / "a", b"1", start(1))
    assert (tmp_path / fence.NAME).read_text() == "two 3 east\none 1 north\n"


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o777])
def test_whoever_may_write_in_the_folder_may_pass(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    put(tmp_path / "a", b"1", start(1))
    assert stat.S_IMODE((tmp_path / fence.NAME).stat().st_mode) == mode & 0o666


def test_a_lock_that_cannot_be_opened_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / fence.NAME).mkdir()
    with pytest.raises(StorageError, match=rf"{fence.NAME} cannot be opened: Is a directory"):
        put(tmp_path / "a", b"1", start(1))
    assert names(tmp_path) == [fence.NAME]


@contextmanager
def stopped_between_judging_and_naming(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A writer that stands still after it has judged that its file may take the name."""
    with subprocess.Popen([sys.executable, "-c", STOPS, str(path)], cwd=ROOT) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGCONT])
def test_what_was_judged_holds_until_the_file_has_its_name(
    tmp_path: Path, end: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    with stopped_between_judging_and_naming(path) as old:
        with monkeypatch.context() as patch:
            patch.setattr(fence, "PATIENCE", 0.1)
            with pytest.raises(StorageError, match=r"another writer has kept .* locked for .*fuser"):
                put(path, b"new", start(2), replace=False)
        assert not path.exists()
        old.send_signal(end)
        old.wait(10)
        put(path, b"new", start(2))
    assert path.read_bytes() == b"new"


def series(of: FilePlan) -> FileSeries:
    waiting = Placeholder.create(of.path, of.detector_name, {}, overwrite=of.overwrite, start=of.start)
    made = waiting.become(of.shape, of.dtype, of.members, images_per_file=PER_FILE)
    assert isinstance(made, FileSeries)
    return made


def append(file: FileSeries, of: FilePlan, first: int, count: int) -> None:
    file.append([image(number) for number in range(first, first + count)], rows(of, first, count))


def test_an_old_series_overwrites_no_part_of_a_new_one(tmp_path: Path) -> None:
    old_plan = plan(tmp_path / "a.h5", overwrite=True, start=start(1))
    new_plan = plan(tmp_path / "a.h5", overwrite=True, start=start(2))
    old = series(old_plan)
    append(old, old_plan, 0, PER_FILE)
    for path in tmp_path.glob("a*.h5"):
        path.unlink()
    new = series(new_plan)
    append(new, new_plan, 0, 3 * PER_FILE)
    new.finish({"outcome": "completed", "written": 3 * PER_FILE})
    written = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StorageError, match="this is its start 1, that one is 2"):
        append(old, old_plan, PER_FILE, 1)
    old.close()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == written
    assert not verify(new_plan.path).damaged
