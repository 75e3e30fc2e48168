"""The command line where the front ends' libraries are not installed."""

import subprocess
import sys

import pytest

from repstream_cli.exits import Exit
from tests.cli.running import free_port

WITHOUT_ANY = (
    "import sys\n"
    "sys.modules.update(dict.fromkeys(('tango', 'caproto', 'fastapi', 'uvicorn', 'databaseds')))\n"
)
WITHOUT = WITHOUT_ANY + "from repstream_cli.main import main\nmain()\n"


def run_without_extras(*arguments, program=WITHOUT):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("front_end", ["tango", "epics", "http"])
def test_a_front_end_that_is_asked_for_but_missing_is_told(front_end):
    seen = run_without_extras("serve", f"--{front_end}")
    assert seen.returncode == Exit.USAGE
    assert f"repstream[{front_end}]" in seen.stderr


def test_a_camera_server_tells_what_it_needs():
    program = f"{WITHOUT_ANY}from repstream_cli.cam_server.programs import camera_server\ncamera_server()\n"
    seen = run_without_extras(program=program)
    assert seen.returncode == Exit.USAGE
    assert "repstream[http]" in seen.stderr


@pytest.mark.parametrize(("command", "extra"), [(("ioc",), "epics"), (("panel", "tango"), "panels")])
def test_a_command_says_which_extra_it_needs(command, extra):
    seen = run_without_extras(*command)
    assert seen.returncode == Exit.USAGE
    assert f"repstream[{extra}]" in seen.stderr


def test_the_demo_tells_what_it_needs():
    seen = run_without_extras("demo")
    assert seen.returncode == Exit.USAGE
    assert "repstream[all]" in seen.stderr


def test_the_engine_serves_without_any(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-c", WITHOUT, "serve", "--engine-address", address, "--root", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "serving" in line:
                break
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == Exit.OK
    for front_end in ("tango", "epics", "http"):
        assert f"the {front_end} front end is not installed" in log


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_tells_what_is_missing(word):
    assert run_without_extras(word).stdout.count("not installed") == 3
