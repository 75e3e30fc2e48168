"""User scripts and libraries."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from repstream.errors import Refused
from repstream.instances.saved.scripts import Scripts


def test_a_script_is_kept_listed_read_and_removed(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path / "user_scripts", permitted=True)
    assert scripts.names() == []
    scripts.write("mean.py", b"def process_image():\n    return {}\n")
    assert scripts.names() == ["mean.py"]
    assert scripts.read("mean.py") == ("def process_image():\n    return {}\n", False)
    scripts.delete("mean.py")
    assert scripts.names() == []


def test_a_library_that_is_no_text_is_read_as_base64(tmp_path: Path) -> None:
    libraries = Scripts(tmp_path / "lib", "lib", permitted=True)
    libraries.write("a.so", b"\x7fELF\xff\x00")
    assert libraries.read("a.so") == (base64.b64encode(b"\x7fELF\xff\x00").decode(), True)


def test_the_folder_of_libraries_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    scripts = Scripts(tmp_path)
    assert scripts.names() == []
    with pytest.raises(Refused) as refusal:
        scripts.read("lib")
    assert refusal.value.reason == "Requested script 'lib' does not exist."


def test_nothing_is_taken_over_the_network_unless_permitted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    scripts = Scripts(tmp_path)
    with pytest.raises(Refused, match="--allow-scripts"):
        scripts.write("b.py", b"")
    with pytest.raises(Refused, match="--allow-scripts"):
        scripts.delete("a.py")
    assert scripts.names() == ["a.py"]


@pytest.mark.parametrize("name", ["../a.py", "lib/a.py", "a\0.py", ".a.py", "x" * 300])
def test_a_script_is_never_a_path(tmp_path: Path, name: str) -> None:
    scripts = Scripts(tmp_path / "scripts", permitted=True)
    with pytest.raises(Refused, match="cannot be the name"):
        scripts.write(name, b"")
    assert not any((tmp_path / "scripts").iterdir())
