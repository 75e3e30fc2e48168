"""ophyd-async as it is on areaDetector's view: count, fly, and what bluesky does in the middle of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest

from tests.integration.rig import IMAGES, SHAPE, running_rig
from tests.ioc.areadetector_rig import ME, prepared, run_program, sending

pytest.importorskip("ophyd_async")

PAGE = Path("docs/how-to/areadetector.md")
IN_THE_MIDDLE = """
from bluesky.utils import RunEngineInterrupted


@bpp.stage_decorator([det])
@bpp.run_decorator()
def interrupted():
    for n in range(3):
        yield from bps.checkpoint()
        if n == 1:
            yield from bps.pause()
        yield from bps.trigger_and_read([det])


for way in ("resume", "stop", "abort"):
    try:
        RE(interrupted())
    except RunEngineInterrupted:
        getattr(RE, way)()
"""
REFUSED = """
from ophyd_async.core import StaticFilenameProvider
from ophyd_async.epics.adcore import NDROIIO, NDROIStatIO, NDStatsIO

taken = StaticPathProvider(StaticFilenameProvider("taken"), FOLDER)
with init_devices():
    regions = NDROIStatIO("T:AD:ROIStat1:", 4)
    region, numbers = NDROIIO("T:AD:ROI1:"), NDStatsIO("T:AD:Stats1:")
    refused = SimDetector("T:AD:", ADWriterFactory.hdf(taken), plugins={"regions": regions})
try:
    RE(count([refused]))
    documents.append(("passed", {}))
except Exception as error:
    documents.append(("failed", {"why": repr(error)}))
"""

Documents = list[tuple[str, dict[str, Any]]]


def runs(documents: Documents) -> list[Documents]:
    """The documents of each run."""
    found: list[Documents] = []
    for name, document in documents:
        if name == "start":
            found.append([])
        found[-1].append((name, document))
    return found


def frames_of(run: Documents) -> int:
    """How many images the documents of a run promise; they are the file's, each as it was sent."""
    resource = next(document for name, document in run if name == "stream_resource")
    promised = max(document["indices"]["stop"] for name, document in run if name == "stream_datum")
    with h5py.File(urlsplit(resource["uri"]).path) as file:
        images = file[resource["parameters"]["dataset"]][()]
        ids = file["/detector/metadata"]["image_id"].tolist()
    assert images.shape == (promised, *SHAPE)
    for frame_id, image in zip(ids, images, strict=True):
        assert np.array_equal(image, IMAGES(frame_id)), frame_id
    return int(promised)


def test_count_fly_and_whatever_bluesky_does_in_the_middle(tmp_path: Path) -> None:
    page = PAGE.read_text().split("```python\n")[2].split("```")[0]
    assert '"X:AD:"' in page and '"/data"' in page
    text = page.replace("X:AD:", "T:AD:").replace('"/data"', repr(str(tmp_path))) + IN_THE_MIDDLE
    (tmp_path / "taken.h5").touch()
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        rig.service.write({"streams.all.enable": False}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        with sending(rig.detector):
            done = run_program(tmp_path, ioc.port, text + REFUSED.replace("FOLDER", repr(str(tmp_path))))
        assert done.returncode == 0, done.stderr[-3000:]
        assert rig.value("writers.main.state") == "READY"
        assert rig.value("writers.main.start_result") == "refused"
    documents: Documents = json.loads(done.stdout.split("DOCUMENTS ")[1])
    counted, flown, resumed, stopped, aborted, refused = runs(documents)
    assert [frames_of(run) for run in (counted, flown, resumed, stopped, aborted)] == [3, 10, 3, 1, 1]
    ends = [run[-1][1]["exit_status"] for run in (counted, flown, resumed, stopped, aborted)]
    assert ends == ["success", "success", "success", "success", "abort"]
    assert refused[-1][0] == "failed" and not any(name == "stream_datum" for name, _ in refused)
