"""The examples, run as they are against an engine with all front ends and a simulated detector."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from repstream.sources.images import image
from tests.cli.running import free_port, started

EXAMPLES = Path(__file__).parents[2] / "examples"
SIZE = (60, 80)
RUNS = {
    "beamline_script.py": ["scan_0.h5", "scan_1.h5", "scan_2.h5"],
    "tango_script.py": ["from_tango.h5"],
    "tango_step_scan.py": ["tango_scan.h5"],
    "epics_script.py": ["from_epics.h5"],
    "http_script.py": ["from_http.h5"],
    "bluesky_plan.py": ["from_bluesky.h5"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def ways_in(folder):
    """Where each example finds what it talks to, while everything runs."""
    engine, tango, epics, http, detector = (free_port() for _ in range(5))
    source = f"tcp://127.0.0.1:{detector}"
    config = folder / "config.json"
    config.write_text(json.dumps({"source": {"address": source}, "writers": {"main": {}}}))
    ports = ("--tango-port", tango, "--epics-port", epics, "--http-port", http)
    where = ("--engine-address", f"tcp://127.0.0.1:{engine}", "--config", config, "--root", folder)
    with (
        started("simulate", "-a", source, "--size", "60x80", "--rate", 200, "--quiet"),
        started("serve", *ports, *where) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repeater,
    ):
        repeater.bind(("", 0))  # libca leaves a caRepeater running unless somebody has its port
        for line in server.stdout:
            if "serving" in line:
                break
        os_environment = {
            **os.environ,
            "EPICS_CA_ADDR_LIST": "127.0.0.1",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_SERVER_PORT": str(epics),
            "EPICS_CA_REPEATER_PORT": str(repeater.getsockname()[1]),
        }
        yield (
            os_environment,
            {
                "beamline_script.py": f"tcp://127.0.0.1:{engine}",
                "tango_script.py": f"tango://127.0.0.1:{tango}/repstream/writer/1#dbase=no",
                "tango_step_scan.py": f"tango://127.0.0.1:{tango}/repstream/writer/1#dbase=no",
                "epics_script.py": "X:REPSTREAM:",
                "http_script.py": f"http://127.0.0.1:{http}",
                "bluesky_plan.py": f"tcp://127.0.0.1:{engine}",
            },
        )


def test_every_example_is_run():
    here = {path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("mflow_")}
    assert here == RUNS.keys()


@pytest.mark.parametrize("name", RUNS)
def test_an_example_writes_what_was_sent(name, folder, ways_in):
    environment, address = ways_in
    command = [sys.executable, EXAMPLES / name, folder, address[name]]
    seen = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert seen.returncode == 0, seen.stderr
    for file_name in RUNS[name]:
        assert f"{folder / file_name}: 20 images" in seen.stdout
        with h5py.File(folder / file_name) as file:
            ids = file["/detector/metadata"]["image_id"]
            stored = file["/detector/data"]
            assert len(stored) == 20
            assert all(np.array_equal(stored[n], image(int(i), SIZE, "uint16")) for n, i in enumerate(ids))


@pytest.mark.parametrize("name", RUNS)
def test_an_example_fails_where_its_file_exists(name, folder, ways_in):
    environment, address = ways_in
    (folder / RUNS[name][0]).touch()
    command = [sys.executable, EXAMPLES / name, folder, address[name]]
    seen = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert seen.returncode != 0
    assert "exists" in seen.stdout + seen.stderr
