"""The examples of cameras, run as they are with cam_server's published clients."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import h5py
import pytest
import zmq

from repstream.protocol import Requester
from tests.cli.cam_server import Servers, servers
from tests.integration.rig import Detector, running_rig

pytest.importorskip("cam_server_client")

EXAMPLES = Path(__file__).parents[2] / "examples" / "cameras"
SAYS = {
    "simulation_stream.py": r"(pulse \d+: \(960, 1280\) uint16, brightest 58981\n){3}",
    "basic_pipeline.py": r"x: centre 6[0-5]\d\.\d, width \d+\.\d pixels\ny: centre 4[78]\d\.\d, width \d",
    "background.py": r"simulation_\d{8}_\d{6}_\d{6}: intensity (?P<before>\d+) before, (?P<after>\d+) after",
    "detector_stream.py": r"(201 × 120, intensity [1-9]\d+, good region \[\d+, \d+, \d+, \d+\]\n){3}",
    "stream_by_name.py": r"tcp://127\.0\.0\.1:11\d\d\d: intensity [1-9]\d+",
    "change_configurations.py": r"is: \(960, 1280\)\nturned: \(1280, 960\)\na region of it: \(100, 200\)",
    "new_camera.py": r"_marker_width': 5000\.0.*\n.*'screen 1': 'new_camera'.*\nwidth and height: \[1280",
    "one_message.py": r"threshold 5000: maximum 58981\nx_axis, y_axis, image, .*y_fit_mean",
    "own_function.py": r"centre 6[0-5]\d\.\d, [1-9]\d* bright pixels",
    "pipeline_to_file.py": r"10 messages, pulses \d+ to \d+, mean centre 6[0-5]\d\.\d",
    "stream_to_file.py": r"x_fit_mean/data \(10, 1\)",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    anywhere = ("--root", tmp_path_factory.getbasetemp())
    with servers(tmp_path_factory.mktemp("site"), "server", "--allow-scripts", *anywhere) as found:
        yield found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stream of an engine that repeats a detector."""
    folder = tmp_path_factory.mktemp("engine")
    with running_rig(folder) as rig, ExitStack() as stack:
        rig.service.execute("engine.start", None, Requester("test"))
        end = threading.Event()
        sender = threading.Thread(target=_send, args=(rig.detector, end))
        stack.callback(sender.join, 15)
        stack.callback(end.set)
        # The PUSH output must have a consumer: otherwise it holds up the detector.
        rig.consumer("all", zmq.PULL)
        sender.start()
        yield f"tcp://127.0.0.1:{rig.ports['fifth']}"


def _send(detector: Detector, end: threading.Event) -> None:
    for frame_id in itertools.count(1):
        if end.wait(0.01):
            return
        detector.send(range(frame_id, frame_id + 1))


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
def test_an_example_does_what_it_says(
    name: str, running: Servers, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = (EXAMPLES / name).read_text()
    file = [str(tmp_path / "stream.h5")] if "FILE" in source else []
    stream = [request.getfixturevalue("live")] if "[STREAM" in source else []
    wanted = [running.camera] * ("CAMERA_SERVER" in source) + [running.pipeline] * ("PIPELINE_" in source)
    command = [sys.executable, "-W", "ignore", EXAMPLES / name, *stream, *file, *wanted]
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
