"""Folders of configurations, as cam_server keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repstream.errors import Refused
from repstream.instances.saved.configurations import Configurations


@pytest.fixture
def cameras(tmp_path: Path) -> Configurations:
    return Configurations(tmp_path, "camera")


def put(folder: Path, name: str, **document: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps(document))


def test_a_site_folder_is_listed_without_what_is_no_configuration(cameras: Configurations) -> None:
    names = ["b", "a", "servers", "permanent_instances", "a_parameters", "a_background", ".hidden"]
    for name in names:
        put(cameras.folder, name)
    (cameras.folder / "c.txt").write_text("")
    assert cameras.names() == ["a", "b"]


def test_what_is_saved_is_read_with_unknown_keys_and_the_name(cameras: Configurations) -> None:
    cameras.write("camera 📷", {"source": "X", "site_key": [1, {"a": None}]})
    assert cameras.read("camera 📷") == {"source": "X", "site_key": [1, {"a": None}], "name": "camera 📷"}
    assert [path.name for path in cameras.folder.iterdir()] == ["camera 📷.json"]


def test_a_file_that_is_changed_by_others_is_seen_at_once(cameras: Configurations) -> None:
    put(cameras.folder, "a", source="1")
    assert cameras.read("a")["source"] == "1"
    put(cameras.folder, "a", source="2")
    assert cameras.read("a")["source"] == "2"


def test_a_failed_save_leaves_the_earlier_file(cameras: Configurations) -> None:
    cameras.write("a", {"source": "1"})
    with pytest.raises(TypeError):
        cameras.write("a", {"source": object()})
    assert cameras.read("a")["source"] == "1"
    assert len(list(cameras.folder.iterdir())) == 1


def test_missing_ones_are_refused_in_the_words_that_clients_know(tmp_path: Path) -> None:
    cameras, pipelines = Configurations(tmp_path, "camera"), Configurations(tmp_path, "pipeline")
    for act, text in [
        (lambda: cameras.read("x"), "Config 'x' does not exist."),
        (lambda: cameras.delete("x"), "Config 'x' does not exist."),
        (lambda: pipelines.delete("x"), "Pipeline 'x' does not exist."),
    ]:
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.reason == text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_a_damaged_file_is_refused_and_hides_no_other(cameras: Configurations, text: str) -> None:
    (cameras.folder / "bad.json").write_bytes(text.encode("latin1"))
    put(cameras.folder, "good", alias="G")
    with pytest.raises(Refused, match=r"bad\.json"):
        cameras.read("bad")
    assert cameras.aliases() == {"G": "good"}


def test_aliases_and_groups_are_texts_or_lists(cameras: Configurations) -> None:
    put(cameras.folder, "a", alias="A", group="all")
    put(cameras.folder, "b", alias=["B1", "B2"], group=["all", "some"])
    put(cameras.folder, "c", alias=None, group=3)
    assert cameras.aliases() == {"A": "a", "B1": "b", "B2": "b"}
    assert cameras.groups() == {"all": ["a", "b"], "some": ["b"]}


@pytest.mark.parametrize("name", ["../a", "a/b", "servers", "x_background", "a\0"])
def test_names_that_are_paths_or_of_other_files_are_not_saved(cameras: Configurations, name: str) -> None:
    with pytest.raises(Refused):
        cameras.write(name, {})
    assert list(cameras.folder.iterdir()) == []
