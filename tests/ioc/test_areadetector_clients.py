"""ophyd and bluesky as they are, on areaDetector's view of an engine with a real data plane."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from repstream.protocol import Requester
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from tests.integration.rig import DTYPE, IMAGES, SHAPE, Detector, Rig, running_rig
from tests.ioc.clients import environment

pytest.importorskip("bluesky")
handlers = pytest.importorskip("area_detector_handlers.handlers")

PAGE = Path("docs/how-to/areadetector.md")
WORKER = Path(__file__).with_name("ophyd_areadetector_worker.py")
ME = Requester("test", "", "")


@contextmanager
def sending(detector: Detector) -> Iterator[None]:
    """A detector that runs freely, a hundred images a second at most."""
    end = threading.Event()

    def send() -> None:
        frame_id = 0
        while not end.wait(0.01):
            detector.send(range(frame_id, frame_id + 1))
            frame_id += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def program(folder: Path, prefix: str) -> str:
    """The one of the page, here."""
    text = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert '"X:AD:"' in text and '"/data/"' in text
    return text.replace("X:AD:", prefix).replace('"/data/"', repr(str(folder)))


def run(folder: Path, port: int, text: str) -> subprocess.CompletedProcess[str]:
    script = folder / "program.py"
    script.write_text(text)
    command = [sys.executable, str(WORKER), str(script)]
    return subprocess.run(
        command, env=environment(port), capture_output=True, text=True, timeout=100, check=False
    )


def prepared(rig: Rig) -> IocServer:
    height, width = SHAPE
    rig.service.write(
        {"source.image_height": height, "source.image_width": width, "source.image_type": DTYPE}, ME
    )
    return IocServer({"rig": rig.service}, "T:", port=0, views=chosen("T:AD:"))


@pytest.mark.parametrize("plugin", ["HDF5Plugin", "HDF5Plugin_V34"])
def test_a_count_of_bluesky_writes_what_was_sent(tmp_path: Path, plugin: str) -> None:
    of_version = f"from ophyd.areadetector.plugins import {plugin} as HDF5Plugin\n\nEpicsSignal.set_def"
    text = program(tmp_path, "T:AD:").replace("\nEpicsSignal.set_def", of_version)
    with running_rig(tmp_path) as rig, prepared(rig) as ioc:
        rig.service.write({"streams.all.enable": False}, ME)
        rig.service.execute("engine.start", None, ME).wait(20)
        with sending(rig.detector):
            done = run(tmp_path, ioc.port, text)
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
        done = run(tmp_path, ioc.port, absent)
        assert done.returncode != 0 and "DOCUMENTS" not in done.stdout
        assert "capture" in done.stderr and "Timeout" in done.stderr
        assert rig.value("writers.main.start_result") == "refused"
        assert rig.value("writers.main.full_file_name") == ""
