"""Names of cameras and files: never paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import InvalidValue
from repstream.instances.saved.names import check_name

REFUSED = ["", ".", "..", "a/b", "/etc/passwd", "a\\b", "../a", "a..b", ".hidden", "a\0b", "a\nb", "x" * 300]
REFUSED += ["\ud800", "é" * 150, "a\x7f"]
TAKEN = [
    "SARES20-CAMS142-M5",
    "a b",
    "camera.1",
    "Käferkamera",
    "📷",
    "👩‍🔬",
    "x" * 200,
    "~",
    "$(id)",
    "%2e%2e",
    "-rf",
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_a_path_or_no_file_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be the name of a camera"):
        check_name("camera", name)


@pytest.mark.parametrize("name", TAKEN)
def test_names_of_every_script_are_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / (check_name("camera", name) + ".json")
    path.write_text("{}")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@given(st.text(max_size=60))
def test_a_name_that_is_taken_stays_in_its_folder(name: str) -> None:
    try:
        path = Path("/folder") / check_name("camera", name)
    except InvalidValue:
        return
    assert path.parent == Path("/folder") and os.path.normpath(path) == str(path)
