from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.files.samples import names, plan

from repstream.errors import Refused, StorageError
from repstream.files import FrameFile, check_target, make_folders, paths, resolve_roots

ROOT = Path(__file__).parents[3]


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, ...]:
    return resolve_roots([str(tmp_path)])


def refusal(path: object, roots: tuple[Path, ...], **options: object) -> str:
    with pytest.raises(Refused) as told:
        check_target(path, roots, **options)  # type: ignore[arg-type]
    return told.value.reason


def test_a_good_target_is_its_real_path_and_nothing_is_made(tmp_path: Path, roots: tuple[Path, ...]) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert check_target(f"{tmp_path}/link/../link/a.h5", roots) == (tmp_path / "real" / "a.h5").resolve()
    assert names(tmp_path) == ["link", "real"]
    assert names(tmp_path / "real") == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a.h5", "not absolute"),
        ("", "not absolute"),
        ("{}/", "names a folder"),
        ("{}/sub/..", "names a folder"),
        ("{}/a\0.h5", "cannot be printed"),
        ("{}/a\n.h5", "cannot be printed"),
        ("{}/" + 90 * "ééé", "540 bytes, 255"),
        ("{}/nowhere/a.h5", "does not exist"),
        ("{}/../a.h5", "not below an allowed folder"),
        ("/etc/passwd", "not below an allowed folder"),
        ("{}/file/a.h5", "not a folder"),
        ("{}/file", "exists: choose another name or set overwrite"),
        ("{}/sub", "is not a file"),
    ],
)
def test_a_bad_target_is_refused_with_the_reason(
    tmp_path: Path, roots: tuple[Path, ...], path: str, reason: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("x")
    assert reason in refusal(path.format(tmp_path), roots)


def test_a_link_does_not_lead_out_of_the_roots(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    roots = resolve_roots([str(tmp_path / "root")])
    told = refusal(tmp_path / "root" / "link" / "a.h5", roots)
    assert f"leads to {tmp_path}/outside/a.h5" in told
    assert str(tmp_path / "root") in told


def test_a_neighbour_whose_name_begins_like_a_root_is_outside(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data2").mkdir()
    assert "not below" in refusal(tmp_path / "data2" / "a.h5", resolve_roots([str(tmp_path / "data")]))


def test_overwrite_allows_files_and_nothing_else(tmp_path: Path, roots: tuple[Path, ...]) -> None:
    (tmp_path / "a.h5").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert check_target(tmp_path / "a.h5", roots, overwrite=True) == (tmp_path / "a.h5").resolve()
    assert "is not a file" in refusal(tmp_path / "pipe", roots, overwrite=True)


def test_too_little_space_is_told_with_figures(tmp_path: Path, roots: tuple[Path, ...]) -> None:
    assert "1000000000.000 GB" in refusal(tmp_path / "a.h5", roots, needed_bytes=10**18)
    assert check_target(tmp_path / "a.h5", roots, needed_bytes=1)


@pytest.mark.parametrize(
    ("create", "missing", "allowed"),
    [(0, 0, True), (0, 1, False), (-1, 1, True), (-1, 2, False), (-3, 3, True), (1, 5, True)],
)
def test_folders_are_made_as_areadetector_makes_them(
    tmp_path: Path, roots: tuple[Path, ...], create: int, missing: int, allowed: bool
) -> None:
    target = tmp_path.joinpath(*"abcdef"[:missing]) / "x.h5"
    if not allowed:
        assert "create_directory" in refusal(target, roots, create_directory=create)
        return
    make_folders(check_target(target, roots, create_directory=create), create)
    assert target.parent.is_dir()


def test_a_positive_number_expects_that_many_levels(tmp_path: Path, roots: tuple[Path, ...]) -> None:
    depth = len(tmp_path.resolve().parts)
    target = tmp_path / "new" / "x.h5"
    assert check_target(target, roots, create_directory=depth)
    assert f"the first {depth + 1} levels" in refusal(target, roots, create_directory=depth + 1)
    assert not target.parent.exists()


def test_no_root_means_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_roots([]) == (tmp_path.resolve(),)


@pytest.mark.parametrize("root", ["relative", "/nowhere/at/all"])
def test_a_root_must_be_there(root: str) -> None:
    with pytest.raises(Refused, match="not an existing folder"):
        resolve_roots([root])


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be made: Not a directory"):
        make_folders(tmp_path / "file" / "sub" / "x.h5", 1)


AS_OTHER = """
import os, sys
from pathlib import Path
from repstream.errors import Refused
from repstream.files import check_target
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(4242), os.setuid(4242)
root = Path(sys.argv[1])
for options in ({}, {"user_id": 4343}):
    try:
        check_target(root / "a.h5", (root,), **options)
    except Refused as refused:
        print(refused.reason)
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach and only its owner may write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder).resolve()


def test_rights_that_are_missing_are_told_before_anything_is_made(public: Path) -> None:
    command = [sys.executable, "-c", AS_OTHER, str(public)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "cannot be written" in told[0]
    assert "CAP_SETUID" in told[1]
    assert names(public) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make files for others")
def test_root_makes_files_with_the_rights_and_in_the_name_of_another(public: Path) -> None:
    assert "cannot be written" in refusal(public / "a.h5", (public,), user_id=4242)
    with pytest.raises(StorageError, match="Permission denied"):
        FrameFile.create(plan(public / "a.h5", user_id=4242))
    os.chown(public, 4242, -1)
    public.chmod(0o755)
    path = check_target(public / "sub" / "a.h5", (public,), create_directory=-1, user_id=4242)
    make_folders(path, -1, user_id=4242)
    FrameFile.create(plan(path, user_id=4242)).finish({})
    assert (path.stat().st_uid, path.parent.stat().st_uid) == (4242, 4242)
    (public / "mine").touch()
    assert (public / "mine").stat().st_uid == 0


def test_the_missing_folders_come_topmost_first(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    assert paths.missing_folders(wanted, 1) == [tmp_path / "a", wanted]
