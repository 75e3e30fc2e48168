"""The demo, from the first process to the checked file, and every command that it prints."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from repstream.sources.images import image
from repstream_cli.exits import Exit
from tests.cli.processes import below, still_alive
from tests.cli.running import run_here, started

SMALL = ("--any-ports", "--size", "120x200", "--rate", 100)


OTHERS = ("demo_001.h5", "demo_002_tango.h5", "demo_003.log", "demo.log", "demo_other.h5", "data.h5")
"""Files that lie in the folder of a demo before it comes."""

EARLIER = (*OTHERS, "demo_004.h5", "demo_004.log")
"""The same with those of an earlier demo."""


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def two_demos(tmp_path_factory):
    """The folders after two demos at once, of which the other one removes its files, and how both ended."""
    kept, removed = folders = [tmp_path_factory.mktemp(name) for name in ("kept", "removed")]
    for folder, there in zip(folders, (OTHERS, EARLIER), strict=True):
        for name in there:
            (folder / name).write_text(name)
    # No usual ports: an engine of another test that takes them would share the images of the detector there.
    once = ("demo", "--once", *SMALL)
    with (
        started(*once, "--folder", kept) as one,
        started(*once, "--remove", "--folder", removed) as other,
    ):
        ends = [(*process.communicate(timeout=100), process.returncode) for process in (one, other)]
    return kept, removed, ends


def test_two_demos_at_once_keep_out_of_each_others_way(two_demos):
    _, _, ends = two_demos
    assert [end[-1] for end in ends] == [Exit.OK, Exit.OK], ends
    for stdout, *_ in ends:
        assert "All 100 images are what was sent" in stdout


def test_the_demo_writes_what_was_sent(two_demos):
    kept, _, _ = two_demos
    with h5py.File(kept / "demo_004.h5") as file:
        ids = file["/detector/metadata"]["image_id"]
        for stored, frame_id in zip(file["/entry/data/data"], ids, strict=True):
            assert np.array_equal(stored, image(int(frame_id), (120, 200), "uint16"))


def test_files_that_are_not_its_own_stay_as_they_are(two_demos):
    kept, removed, _ = two_demos
    after = held(kept)
    assert {name: after[name] for name in OTHERS} == {name: name.encode() for name in OTHERS}
    assert held(removed) == {name: name.encode() for name in EARLIER}
    assert sorted(after.keys() - set(OTHERS)) == ["demo_004.h5", "demo_004.log"]


def test_no_folder_is_made_but_the_one_that_is_named(tmp_path):
    seen = run_here("demo", "--once", *SMALL, "--folder", tmp_path / "typo" / "data")
    assert seen.returncode == Exit.USAGE
    assert "No such file or directory" in " ".join(seen.stderr.replace("│", "").split())
    (tmp_path / "file").touch()
    assert run_here("demo", "--once", *SMALL, "--folder", tmp_path / "file").returncode == Exit.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_during_the_acquisition_ends_everything(tmp_path):
    with started("demo", "--any-ports", "--size", "120x200", "--rate", 2, "--folder", tmp_path) as process:
        while not list(tmp_path.glob("demo_*.h5")) and process.poll() is None:
            time.sleep(0.05)
        children = below(process.pid)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == Exit.FAULTS
    assert "interrupted" in stderr
    assert "all processes have ended" in stdout
    assert not still_alive(children)
    with h5py.File(tmp_path / "demo_001.h5") as file:
        assert file["/entry/data/data"].shape[0] < 100


def printed(process):
    """What the demo prints up to its last line before it stays up."""
    lines = []
    for line in process.stdout:
        if "Ctrl-C" in line:
            return lines
        lines.append(line.rstrip())
    pytest.fail(f"the demo ended: {process.stderr.read()}")


def commands(lines):
    """The commands among the printed lines, those that go on without end left out."""
    start = next(n for n, line in enumerate(lines) if line.startswith("To try"))
    found = [line.strip() for line in lines[start + 1 :] if line.strip()]
    return [line for line in found if not line.startswith(("#", "repstream consume"))]


def test_the_printed_commands_work_and_ctrl_c_ends_everything(tmp_path):
    if shutil.which("curl") is None:
        if os.environ.get("REPSTREAM_REQUIRE_ALL"):
            pytest.fail("curl is not installed")
        pytest.skip("needs curl")
    with started("demo", *SMALL, "--images", 5, "--folder", tmp_path) as process:
        lines = printed(process)
        children = below(process.pid)
        status = next(line.strip() for line in lines if "repstream status" in line)
        idle = f'until {status} --json | grep -q \'"writers.1.state": "READY"\'; do sleep 0.2; done'
        script = ["set -e", idle]
        for command in commands(lines):
            script += [command, idle] if "start" in command.lower() else [command]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # libca leaves a caRepeater running unless somebody has its port.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repeater:
            repeater.bind(("", 0))
            seen = subprocess.run(
                ["bash", "-c", "\n".join(script)],
                capture_output=True,
                text=True,
                timeout=90,
                env={**os.environ, "PATH": path, "EPICS_CA_REPEATER_PORT": str(repeater.getsockname()[1])},
                check=False,
            )
        assert seen.returncode == 0, seen
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == Exit.OK, stderr
    assert "all processes have ended" in stdout
    assert not still_alive(children)
    for front_end, images in (("tango", 50), ("epics", 20), ("http", 30)):
        with h5py.File(tmp_path / f"demo_001_{front_end}.h5") as file:
            assert len(file["/entry/data/data"]) == images
