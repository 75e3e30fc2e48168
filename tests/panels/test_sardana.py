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
from tests.panels.stage import LIMA, SCRIPTS, Stage, run

# All scans run before the first test: 25 s, and several times that where the machine does other things.
pytestmark = pytest.mark.timeout(330)

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
        said = run(python, script, folder, trl(writer(1)), trl(REPEATER), trl(LIMA), TANGO_HOST=host)
    return json.loads(said.splitlines()[-1]), folder


def assert_written(reference: str, images: int = IMAGES_A_POINT) -> None:
    path, _, dataset = reference.removeprefix("h5file://").partition("::")
    with h5py.File(path) as file:
        ids = file["detector/metadata"]["image_id"].tolist()
        assert len(ids) == images
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


def test_a_scan_records_the_profile_of_an_image_at_each_point(scans: Any, stage: tuple[Stage, Any]) -> None:
    _, folder = scans
    with h5py.File(folder / "scan.h5") as file:
        profiles = next(iter(file.values()))["measurement"]["profile"][()]
    sent = range(int(stage[0].value("source.last_frame_id")) + 1)
    ids = {IMAGES(image_id).sum(axis=0, dtype=float).tobytes(): image_id for image_id in sent}
    found = [ids[profile.tobytes()] for profile in profiles]
    assert found == sorted(set(found))


def assert_in_order(references: list[str], pattern: str) -> int:
    """How many points have a file; Sardana leaves out a trigger that comes while a channel is busy."""
    found = [reference for reference in references if reference.startswith("h5file://")]
    assert found == [f"h5file://{pattern.format(number)}::/entry/data/data" for number in range(len(found))]
    for reference in found:
        assert_written(reference)
    return len(found)


def test_a_continuous_scan_has_a_file_and_a_profile_of_each_point(scans: Any) -> None:
    _, folder = scans
    with h5py.File(folder / "fly.h5") as file:
        measured = next(iter(file.values()))["measurement"]
        references = [reference.decode() for reference in measured["images"][()]]
        positions, profiles = measured["mot1"][()], measured["profile"][()]
        sums = measured["region"][()]
    assert assert_in_order(references, f"{folder}/fly_{{:04d}}.h5") > 0
    assert np.allclose(positions, range(5), atol=0.5)
    assert profiles.shape == (5, IMAGES(0).shape[1])
    assert np.all(sums[~np.isnan(sums)] > 0)


def test_a_point_whose_trigger_came_too_early_has_no_file_and_the_next_one_its_own(scans: Any) -> None:
    _, folder = scans
    (references,) = of(folder, "hurried.h5", "images")
    assert 0 < assert_in_order(references, f"{folder}/hurried_{{:04d}}.h5") < len(references)


def of(folder: Path, name: str, channel: str) -> list[list[str]]:
    """The references of a channel, of each scan in a scan file."""
    with h5py.File(folder / name) as file:
        return [[one.decode() for one in scan["measurement"][channel][()]] for scan in file.values()]


def test_a_detector_of_Lima_is_scanned_by_its_own_controller(scans: Any) -> None:
    """sardana_limaccd as it is on PyPI; further files have the next numbers."""
    _, folder = scans
    numbers = ((1, 2, 3), (4, 5))  # ct wrote the first
    pattern = f"h5file://{folder}/lima_{{:04d}}.h5::entry_0000/measurement/data"
    found = of(folder, "lima.h5", "_frames")  # NXscan keeps a name without _ for a virtual dataset
    assert found == [[pattern.format(number) for number in scan] for scan in numbers]
    for reference in (pattern.format(0), *found[0], *found[1]):
        assert_written(reference, images=1)


def test_a_refused_start_fails_the_scan(scans: Any, stage: tuple[Stage, Any]) -> None:
    done, folder = scans
    again = [run for run in done if run["macro"][0] == "ascan"][1]
    assert again["status"] == "exception"
    log = (folder / "sardana.log").read_text()
    assert f"{folder}/img_0000.h5 exists: choose another name or set overwrite" in log
    assert "Measurement group ended acquisition with Fault state" in log
