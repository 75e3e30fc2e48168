"""Backgrounds: collected and uploaded, found by camera, never lost."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from repstream.errors import Refused
from repstream.instances.saved.backgrounds import EARLIER, Backgrounds

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901)
LATER = datetime(2026, 1, 2, 3, 4, 6)
IMAGE = np.arange(6, dtype=np.uint16).reshape(2, 3)


@pytest.fixture
def backgrounds(tmp_path: Path) -> Backgrounds:
    return Backgrounds(tmp_path)


def test_a_collected_one_has_the_camera_and_the_time_in_its_id(backgrounds: Backgrounds) -> None:
    assert backgrounds.collected("cam", IMAGE, NOW) == "cam_20260102_030405_678901"
    np.testing.assert_array_equal(backgrounds.load("cam_20260102_030405_678901"), IMAGE)
    np.testing.assert_array_equal(np.load(backgrounds.folder / "cam_20260102_030405_678901.npy"), IMAGE)


def test_two_of_one_moment_are_both_kept(backgrounds: Backgrounds) -> None:
    ids = [backgrounds.collected("cam", IMAGE + i, NOW) for i in range(3)]
    assert [int(backgrounds.load(each)[0, 0]) for each in ids] == [0, 1, 2]


def test_the_latest_is_that_of_the_camera_and_not_of_one_that_begins_alike(backgrounds: Backgrounds) -> None:
    first, second = backgrounds.collected("cam", IMAGE, NOW), backgrounds.collected("cam", IMAGE, LATER)
    backgrounds.collected("cam_2", IMAGE, LATER)
    backgrounds.put("cam_special", IMAGE, NOW)
    assert backgrounds.ids("cam") == [first, second, "cam_special"]
    assert backgrounds.latest("cam") == second


def test_an_uploaded_one_is_the_latest_where_none_was_collected(backgrounds: Backgrounds) -> None:
    backgrounds.put("cam_special", IMAGE, NOW)
    assert backgrounds.latest("cam") == "cam_special"
    with pytest.raises(Refused) as refusal:
        backgrounds.latest("other")
    assert refusal.value.reason == "No background matches for the specified prefix 'other'."


def test_a_replaced_one_is_kept(backgrounds: Backgrounds) -> None:
    for i in range(3):
        backgrounds.put("dark", IMAGE + i, NOW)
    assert int(backgrounds.load("dark")[0, 0]) == 2
    kept = sorted((backgrounds.folder / EARLIER).iterdir())
    assert [int(np.load(path)[0, 0]) for path in kept] == [0, 1]
    assert backgrounds.ids("dark") == ["dark"]
    backgrounds.put("dark", IMAGE + 2, NOW)  # which it is already
    assert len(list((backgrounds.folder / EARLIER).iterdir())) == 2


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3, 1)])
def test_what_is_no_image_is_refused(backgrounds: Backgrounds, shape: tuple[int, ...]) -> None:
    with pytest.raises(Refused, match="two dimensions"):
        backgrounds.put("x", np.zeros(shape), NOW)
    assert list(backgrounds.folder.iterdir()) == []


def test_missing_and_damaged_ones_are_refused_in_the_words_that_clients_know(
    backgrounds: Backgrounds,
) -> None:
    (backgrounds.folder / "bad.npy").write_bytes(b"\x93NUMPY nothing")
    np.save(backgrounds.folder / "objects.npy", np.array([[object()]]), allow_pickle=True)
    for name, text in [
        ("none", "Requested background 'none' does not exist."),
        ("bad", "Invalid background image file: bad"),
        ("objects", "Invalid background image file: objects"),
    ]:
        with pytest.raises(Refused) as refusal:
            backgrounds.load(name)
        assert refusal.value.reason == text
    with pytest.raises(Refused, match="cannot be the name"):
        backgrounds.load("../secret")
