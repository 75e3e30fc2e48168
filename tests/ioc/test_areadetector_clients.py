"""ophyd and bluesky as they are, on areaDetector's view of an engine with a real data plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.integration.rig import IMAGES, SHAPE, running_rig
from tests.ioc.areadetector_rig import ME, prepared, run_program, sending

pytest.importorskip("bluesky")
handlers = pytest.importorskip("area_detector_handlers.handlers")

PAGE = Path("docs/how-to/areadetector.md")


def program(folder: Path, prefix: str) -> str:
    """The one of the page, here."""
    text = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert '"X:AD:"' in text and '"/data/"' in text
    return text.replace("X:AD:", prefix).replace('"/data/"', repr(str(folder)))


@pytest.mark.parametrize("plugin", ["HDF5Plugin", "HDF5Plugin_V34"])
def test_a_count_of_bluesky_writes_what_was_sent(tmp_path: Path, plugin: str) -> None:
    of_version = f"from ophyd.areadetector.plugins import {plugin} as HDF5Plugin\n\nEpicsSignalBase.set_def"
    text = program(tmp_path, "T:AD:").replace("\nEpicsSignalBase.set_def", of_version)
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        rig.service.write({"streams.all.enable": False}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        with sending(rig.detector):
            done = run_program(tmp_path, ioc.port, text)
        assert done.returncode == 0, done.stderr[-3000:]
        assert rig.value("writers.main.acq_state") == "FINISHED"
    documents: list[tuple[str, dict[str, Any]]] = json.loads(done.stdout.split("DOCUMENTS ")[1])
    kinds = [name for name, _ in documents]
    assert kinds.count("event") == 2
    resource = next(document for name, document in documents if name == "resource")
    assert resource["resource_kwargs"] == {"frame_per_point": 3}
    path = Path(resource["root"]) / resource["resource_path"]
    with h5py.File(path) as file:
        ids = file["/detector/metadata"]["image_id"].tolist()
        images = file["/entry/data/data"][()]
    assert images.shape == (6, *SHAPE)
    assert ids[:3] == list(range(ids[0], ids[0] + 3)) and ids[3:] == list(range(ids[3], ids[3] + 3))
    handler = handlers.AreaDetectorHDF5Handler(str(path), **resource["resource_kwargs"])
    points = [np.asarray(handler(point_number=n)) for n in range(2)]
    assert np.array_equal(np.concatenate(points), images)
    for frame_id, image in zip(ids, images, strict=True):
        assert np.array_equal(image, IMAGES(frame_id)), frame_id


def test_a_refused_capture_fails_the_plan(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        absent = program(tmp_path / "absent", "T:AD:").replace("write_timeout=10", "write_timeout=3")
        done = run_program(tmp_path, ioc.port, absent)
        assert done.returncode != 0 and "DOCUMENTS" not in done.stdout
        assert "capture" in done.stderr and "Timeout" in done.stderr
        assert rig.value("writers.main.start_result") == "refused"
        assert rig.value("writers.main.full_file_name") == ""
