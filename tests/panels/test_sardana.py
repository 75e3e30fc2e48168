"""Our controllers in a real Sardana, on an embedded database, in the environment of `make panels`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.device_servers.serving import REPEATER, tango_database, writer
from tests.integration.rig import IMAGES
from tests.panels.stage import SCRIPTS, Stage, run

IMAGES_A_POINT = 3
REGION = np.s_[10:40, 20:60]


@pytest.fixture(scope="module")
def scans(python: Path, stage: tuple[Stage, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the macros said, in their order, and the folder of their files."""
    engine, trl = stage
    folder = engine.folder / "scans"
    folder.mkdir()
    with tango_database(tmp_path_factory.mktemp("database")) as host:
        script = SCRIPTS / "sardana_scans.py"
        said = run(python, script, folder, trl(writer(1)), trl(REPEATER), TANGO_HOST=host)
    return json.loads(said.splitlines()[-1]), folder


def assert_written(reference: str) -> None:
    path, _, dataset = reference.removeprefix("h5file://").partition("::")
    with h5py.File(path) as file:
        ids = file["detector/metadata"]["image_id"].tolist()
        assert len(ids) == IMAGES_A_POINT
        for n, image_id in enumerate(ids):
            assert np.array_equal(file[dataset][n], IMAGES(image_id))


def test_a_count_writes_a_file(scans: Any) -> None:
    done, folder = scans
    assert [run["macro"][0] for run in done if run["status"] != "finish"] == ["ascan"]
    said = next("\n".join(run["Output"]) for run in done if run["macro"][0] == "ct")
    reference = f"h5file://{folder}/ct.h5::/entry/data/data"
    assert reference in said
    assert_written(reference)


def test_a_scan_records_references_and_sums_of_a_region(scans: Any, stage: tuple[Stage, Any]) -> None:
    _, folder = scans
    with h5py.File(folder / "scan.h5") as file:
        measured = next(iter(file.values()))["measurement"]
        references = [reference.decode() for reference in measured["images"][()]]
        sums = measured["region"][()]
    assert references == [f"h5file://{folder}/img_{n:04d}.h5::/entry/data/data" for n in range(3)]
    for reference in references:
        assert_written(reference)
    sent = range(int(stage[0].value("source.last_frame_id")) + 1)
    possible = [int(IMAGES(image_id)[REGION].sum()) for image_id in sent]
    assert all(min(possible) <= found <= max(possible) for found in sums)  # means of samples


def test_a_refused_start_fails_the_scan(scans: Any, stage: tuple[Stage, Any]) -> None:
    done, folder = scans
    again = done[-1]
    assert again["macro"][0] == "ascan"
    assert again["status"] == "exception"
    log = (folder / "sardana.log").read_text()
    assert f"{folder}/img_0000.h5 exists: choose another name or set overwrite" in log
    assert "Measurement group ended acquisition with Fault state" in log
