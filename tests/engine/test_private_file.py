"""Files of keys and tokens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repstream import private_file


def test_only_its_owner_may_read_it_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        private_file.write(tmp_path / "keys" / "a", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "a").stat().st_mode & 0o777 == 0o600


def test_it_takes_the_place_of_another_that_was_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    path.chmod(0o644)
    with path.open("rb") as reader:
        private_file.write(path, b"now")
        assert reader.read() == b"before"
    assert path.read_bytes() == b"now"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    private_file.write(path, b"before")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        private_file.write(path, b"now")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
