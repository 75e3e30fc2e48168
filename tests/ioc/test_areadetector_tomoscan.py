"""tomoscan's order of puts on areaDetector's view of an engine with a real data plane."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.integration.rig import IMAGES, running_rig
from tests.ioc.areadetector_rig import ME, prepared, run_program, sending

pytest.importorskip("epics")
ORDER = Path(__file__).with_name("tomoscan_order.py")


def ids_of(path: str) -> list[int]:
    """Of the images in a file, each of which is compared with the one sent."""
    with h5py.File(path) as file:
        ids = [int(image_id) for image_id in file["detector/metadata"]["image_id"]]
        for image_id, image in zip(ids, file["entry/data/data"][()], strict=True):
            assert np.array_equal(image, IMAGES(image_id)), image_id
    return ids


def assert_in_rows(ids: list[int], *lengths: int) -> None:
    """Images without a gap in each of the rows, one row after the other."""
    assert len(ids) == sum(lengths) and ids == sorted(ids)
    begin = 0
    for length in lengths:
        row = ids[begin : begin + length]
        assert row == list(range(row[0], row[0] + length))
        begin += length


def test_the_scans_of_tomoscan_write_what_they_took(tmp_path: Path) -> None:
    text = ORDER.read_text().replace('"/data"', repr(str(tmp_path)))
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        rig.service.write({"streams.all.enable": False, "writers.main.overwrite": True}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        with sending(rig.detector):
            done = run_program(tmp_path, ioc.port, text)
        assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.split("DOCUMENTS ")[1])
    assert seen["errors"] == []
    assert Path(seen["one_file"]).name == "single_000000.h5"
    assert_in_rows(ids_of(seen["one_file"]), 3, 4, 5)
    assert [Path(path).name for path in seen["a_file_each"]] == ["each_000001.h5", "each_000002.h5"]
    for path, images in zip(seen["a_file_each"], (3, 4), strict=True):
        assert_in_rows(ids_of(path), images)
    assert Path(seen["taken_again"]).name == "dark_fields.h5"
    assert_in_rows(ids_of(seen["taken_again"]), 2)
    assert seen["of_one_image"]
    assert len(ids_of(seen["aborted"])) >= 3
