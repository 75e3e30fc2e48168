"""What the soak of a site would say where a file, its account and the detector's did not agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repstream.dataplane.storing.frame_store import FrameStore
from repstream.dataplane.storing.placement import Placed
from repstream.messages import array_1_0
from repstream.sources.images import Image, Images
from tests.engine.dataplane.bench import plan
from tests.soak.site.accounts import Found, judged

IMAGES = Images((16, 16), "uint16")
IDS = [3, 4, 5, 7]
SHOWN = {
    "acq_result": "completed",
    "offered": 9,
    "sent": 4,
    "skipped": 5,
    "dropped": 0,
    "queued": 0,
    "num_written": 4,
    "num_missing": 1,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of these images, one of which was missing."""
    store = FrameStore(plan(tmp_path / "scan.h5", 4))
    placed = [Placed(array_1_0.decode(array_1_0.encode(i, IMAGES(i)))) for i in IDS]
    store.write(placed)
    store.sync()
    results = {"outcome": "completed", "message": "Completed.", "written": 4, "received": 4, "missing": 1}
    store.finish({**results, "missing_ids": "6", "dropped_by_reason": "{}"})
    return tmp_path / "scan.h5"


def said(
    path: Path, sent: list[int], images: Callable[[int], Image] = IMAGES, reported: int = 4, **shown: Any
) -> list[str]:
    return list(judged(Found(path, 4, {**SHOWN, **shown}, reported), sent, images))  # type: ignore[arg-type]


def test_a_file_as_it_should_be(path: Path) -> None:
    assert said(path, [1, 2, *IDS, 8]) == []


def test_what_does_not_agree_is_said(path: Path) -> None:
    assert said(path, [3, 4, 6, 5, 7]) == ["image 2 is 5 and should be 6"]
    assert "images [1] are not what was sent" in said(path, IDS, lambda i: IMAGES(i) + np.uint16(i == 4))[0]
    assert said(path, IDS, reported=5) == ["5 images were reported, 4 are there"]
    assert said(path, IDS, num_written=3) == ["written: 4 in the file, 3 shown"]
    assert "are not sent + skipped + dropped + queued" in said(path, IDS, offered=10)[0]
    assert said(path, IDS, acq_result="failed") == ["failed is shown, the file says completed"]
    assert "should be" in said(path, [3, 4, 5, 6, 7])[0]


def test_a_file_that_is_damaged_or_gone(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert "h5py cannot read it" in said(path, IDS)[0]
    path.unlink()
    assert said(path, IDS) == ["there is no file, and 4 images were reported"]
