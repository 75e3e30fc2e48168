"""The Taurus panel operated offscreen, in the environment of `make panels`, on a server that runs here."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from repstream.link.server import EngineServer
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.device_servers.serving import ANY_PORT, REPEATER, tango_server, writer
from tests.integration.rig import IMAGES, Detector, free_port

PYTHON = Path(__file__).parents[2] / ".venv-panels" / "bin" / "python"
SCRIPTS = Path(__file__).parent
LOST = 100
"""Id of the frame that is lost on the way."""


class Stage:
    """An engine with streams, a writer and a picture, its Tango server, and a detector that sends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._detector = Detector()
        self.service = Service(ServiceOptions(roots=(folder,), configuration=self._configuration()))
        self.service.start()
        self.service.execute("engine.start", None, Requester("test"))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(20)
        self.service.close()
        self._detector.close()

    def value(self, key: str) -> Any:
        return self.service.read(key).value

    def _send(self) -> None:
        sent = 0
        while not self._ending.wait(0.02):
            if sent != LOST:
                self._detector.send(range(sent, sent + 1))
            sent += 1

    def _configuration(self) -> Configuration:
        def stream(**more: Any) -> dict[str, Any]:
            return {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB", **more}

        preview = stream(policy="periodic", burst_rate=10, alarm_on_drop=False, buffer_size=10)
        region = {"roi1_y": 10, "roi1_x": 20, "roi1_height": 30, "roi1_width": 40}
        return Configuration.model_validate(
            {
                "source": {"address": self._detector.address},
                "streams": {"preview": preview, "all": stream()},
                "writers": {"main": {"folder": str(self.folder)}},
                "pictures": {"1": {"stream": "preview", **region}},
            }
        )


@pytest.fixture(scope="module")
def python() -> Path:
    if not PYTHON.exists():
        reason = "the environment of the panels is not there: make panels"
        pytest.fail(reason) if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1" else pytest.skip(reason)
    return PYTHON


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[tuple[Stage, Any]]:
    running = Stage(tmp_path_factory.mktemp("files"))
    server = EngineServer(running.service, ANY_PORT)
    server.start()
    with tango_server(server.address, slots=4) as trl:
        yield running, trl
    server.close()
    running.close()


def run(python: Path, *command: object) -> str:
    """Output of a program in the environment of the panels; what it said else is shown where it fails."""
    done = subprocess.run(
        [python, *map(str, command)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_API": "pyqt5"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_an_operator_works_with_the_panel(python: Path, stage: tuple[Stage, Any], tmp_path: Path) -> None:
    engine, trl = stage
    said = run(python, SCRIPTS / "operator_at_panel.py", trl(REPEATER), tmp_path)
    seen = json.loads(said.splitlines()[-1])

    enabled, reason = seen["flush"]
    assert not enabled and "not possible in READY, only in WRITING" in reason
    assert engine.value("streams.2.policy") == "send_every_nth"
    assert engine.value("streams.2.every_nth") == 7
    assert "the writer takes frames" in seen["refused"]
    assert seen["kept"] == "10000"
    assert seen["missing"][0] == str(engine.value("source.missing")) == "1"
    assert "color: #c62828" in seen["missing"][1]
    assert (tmp_path / "panel.png").stat().st_size > 50_000

    assert seen["file"] == engine.value("writers.1.full_file_name")
    with h5py.File(seen["file"]) as file:
        ids = file["detector/metadata"]["image_id"].tolist()
        assert len(ids) == 15
        for n, image_id in enumerate(ids):
            assert np.array_equal(file["entry/data/data"][n], IMAGES(image_id))


def test_a_plain_form_of_taurus_starts_an_acquisition(python: Path, stage: tuple[Stage, Any]) -> None:
    engine, trl = stage
    before = engine.value("writers.1.start_count")
    seen = json.loads(run(python, SCRIPTS / "taurus_form.py", trl(writer(1))).splitlines()[-1])
    assert seen["labels"][:2] == ["File name", "Number of images"]
    assert engine.value("writers.1.num_images") == 5
    assert engine.value("writers.1.start_count") == before + 1
    assert seen["result"] == "completed"


def test_a_device_that_is_no_repeater_is_refused(python: Path, stage: tuple[Stage, Any]) -> None:
    _, trl = stage
    command = [python, "-m", "repstream_cli", "panel", "tango", trl(writer(1))]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "a device of the class HDF5Writer; name the RepStream of its server" in refused.stderr
