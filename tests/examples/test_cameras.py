"""The examples of cameras, run as they are with cam_server's published clients."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from tests.cli.cam_server import Servers, servers

pytest.importorskip("cam_server_client")

EXAMPLES = Path(__file__).parents[2] / "examples" / "cameras"
SAYS = {
    "simulation_stream.py": r"(pulse \d+: \(960, 1280\) uint16, brightest 58981\n){3}",
    "basic_pipeline.py": r"x: centre 6[34]\d\.\d, width \d+\.\d pixels\ny: centre 4[78]\d\.\d, width \d",
    "background.py": r"simulation_\d{8}_\d{6}_\d{6}: intensity (?P<before>\d+) before, (?P<after>\d+) after",
    "stream_by_name.py": r"tcp://127\.0\.0\.1:11\d\d\d: intensity [1-9]\d+",
    "change_configurations.py": r"is: \(960, 1280\)\nturned: \(1280, 960\)\na region of it: \(100, 200\)",
    "new_camera.py": r"_marker_width': 5000\.0.*\n.*'screen 1': 'new_camera'.*\nwidth and height: \[1280",
    "one_message.py": r"threshold 5000: maximum 58981\nx_axis, y_axis, image, .*y_fit_mean",
    "own_function.py": r"centre 6[34]\d\.\d, [1-9]\d* bright pixels",
    "pipeline_to_file.py": r"10 messages, pulses \d+ to \d+, mean centre 6[34]\d\.\d",
    "stream_to_file.py": r"x_fit_mean/data \(10, 1\)",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    anywhere = ("--root", tmp_path_factory.getbasetemp())
    with servers(tmp_path_factory.mktemp("site"), "server", "--allow-scripts", *anywhere) as found:
        yield found


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
def test_an_example_does_what_it_says(name: str, running: Servers, tmp_path: Path) -> None:
    source = (EXAMPLES / name).read_text()
    file = [str(tmp_path / "stream.h5")] if "FILE" in source else []
    wanted = [running.camera] * ("CAMERA_SERVER" in source) + [running.pipeline] * ("PIPELINE_" in source)
    command = [sys.executable, "-W", "ignore", EXAMPLES / name, *file, *wanted]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert seen.returncode == 0, seen.stderr
    said = re.search(SAYS[name], seen.stdout)
    assert said, seen.stdout
    if name == "background.py":
        assert 0 < int(said["after"]) < int(said["before"]) / 2
    if name == "stream_to_file.py":
        with h5py.File(file[0]) as stored:
            ids = stored["x_fit_mean/pulse_id"][:]
            assert (ids[1:] - ids[:-1] == 1).all()
            assert stored["image/data"].shape == (10, 960, 1280)
