"""The Taurus panel operated offscreen, in the environment of `make panels`, on a server that runs here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from repstream.link.server import EngineServer
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from repstream_tango.command_line import command_line
from tests.device_servers.serving import ANY_PORT, REPEATER, running, tango_database, writer
from tests.fakes import FakePlane, configuration
from tests.integration.rig import IMAGES
from tests.panels.stage import SCRIPTS, Stage, run


def test_an_operator_works_with_the_panel(python: Path, stage: tuple[Stage, Any], tmp_path: Path) -> None:
    engine, trl = stage
    said = run(python, SCRIPTS / "operator_at_panel.py", trl(REPEATER), tmp_path)
    seen = json.loads(said.splitlines()[-1])

    enabled, reason = seen["flush"]
    assert not enabled and "not possible in READY, only in WRITING" in reason
    assert engine.value("streams.2.policy") == "send_every_nth"
    assert engine.value("streams.2.every_nth") == 7
    assert seen["beyond"].startswith("Number of images: -1 is not possible: must be a whole number")
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


def test_a_panel_in_a_database_has_the_slots_of_the_engine(python: Path, tmp_path: Path) -> None:
    options = ServiceOptions(
        roots=(tmp_path,), configuration=configuration(tmp_path), max_streams=11, max_writers=2
    )
    service = Service(options, FakePlane())
    service.start()
    server = EngineServer(service, ANY_PORT)
    server.start()
    try:
        with (
            tango_database(tmp_path) as host,
            running(command_line(server.address, "panel", database=host, register=True)),
        ):
            said = run(python, SCRIPTS / "panel_of.py", REPEATER, TANGO_HOST=host)
    finally:
        server.close()
        service.close()
    seen = json.loads(said.splitlines()[-1])
    assert (seen["columns"], seen["writers"], seen["streams"]) == (11, 2, ["live", "preview"])
