"""Files below the engine's roots: listed, described, looked at; nothing outside of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import h5py
import httpx
import numpy as np
import pytest

IMAGES = np.arange(3 * 40 * 60, dtype=np.uint16).reshape(3, 40, 60)


@pytest.fixture
def file(tmp_path: Path, api: httpx.Client) -> Iterator[Path]:
    (tmp_path / "run1").mkdir()
    path = tmp_path / "run1" / "scan.h5"
    with h5py.File(path, "w") as made:
        made["entry/data/data"] = IMAGES
    yield path


def values(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def test_folders_and_files_are_listed_from_the_root_down(api: httpx.Client, file: Path) -> None:
    (file.parent / "notes.txt").write_text("not an image")
    top = api.get("/files").json()
    assert top["parent"] is None
    assert [e["name"] for e in top["entries"] if e["folder"]] == ["run1"]
    below = api.get("/files", params={"folder": str(file.parent)}).json()
    assert [e["name"] for e in below["entries"]] == ["scan.h5"]
    assert below["parent"] == str(file.parent.parent)


def test_a_file_says_how_far_it_is(api: httpx.Client, file: Path) -> None:
    facts = api.get("/files/info", params={"path": str(file)}).json()
    assert (facts["count"], facts["width"], facts["height"], facts["dtype"]) == (3, 60, 40, "uint16")


def test_an_image_comes_value_by_value(api: httpx.Client, file: Path) -> None:
    asked = {"path": str(file), "image": 2}
    assert np.array_equal(values(api.get("/files/image.npy", params=asked)), IMAGES[2])
    part = values(api.get("/files/image.npy", params={**asked, "region": "10,5,20,8"}))
    assert np.array_equal(part, IMAGES[2, 5:13, 10:30])
    small = values(api.get("/files/image.npy", params={**asked, "size": "30x20"}))
    assert np.array_equal(small, IMAGES[2].reshape(20, 2, 30, 2).max((1, 3)))


def test_an_image_that_is_not_there_is_refused(api: httpx.Client, file: Path) -> None:
    answer = api.get("/files/image.png", params={"path": str(file), "image": 3})
    assert answer.status_code == 404 and "has 3 images" in answer.json()["error"]["reason"]


@pytest.mark.parametrize("path", ["/etc/passwd", "{root}/../..", "/", "{root}/link.h5"])
def test_nothing_outside_of_the_roots_is_shown(api: httpx.Client, tmp_path: Path, path: str) -> None:
    (tmp_path / "link.h5").symlink_to("/etc/passwd")
    outside = path.format(root=tmp_path)
    for route, name in (("/files", "folder"), ("/files/info", "path"), ("/files/image.npy", "path")):
        answer = api.get(route, params={name: outside})
        assert answer.status_code == 403, route
        assert str(tmp_path) in answer.json()["error"]["reason"]


def test_a_file_without_images_is_refused_in_words(api: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "broken.h5").write_bytes(b"this is no HDF5")
    answer = api.get("/files/info", params={"path": str(tmp_path / "broken.h5")})
    assert answer.status_code == 422 and "broken.h5" in answer.json()["error"]["reason"]
