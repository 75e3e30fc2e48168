"""`repstream cameras` and `repstream pipelines` against real servers."""

import json

import pytest
from typer.testing import CliRunner

from repstream_cli.instances import cameras, pipelines
from tests.cli.cam_server import servers


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("site")) as found:
        yield found


def run(app, *arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_camera_is_started_listed_changed_and_stopped(site):
    at = ("--server", site.camera)
    stream = run(cameras, "start", "simulation", *at).output.strip()
    assert stream.startswith("tcp://127.0.0.1:")
    listed = run(cameras, "list", *at)
    assert listed.exit_code == 0
    assert stream in listed.output and "simulation" in listed.output
    assert json.loads(run(cameras, "list", "--json", *at).output)["simulation"]["stream_address"] == stream
    changed = run(cameras, "config", "simulation", "mirror_x=true", "roi=[0, 10, 0, 20]", *at)
    assert json.loads(changed.output)["mirror_x"] is True
    assert json.loads(changed.output)["roi"] == [0, 10, 0, 20]
    assert run(cameras, "stop", "simulation", *at).exit_code == 0
    assert stream not in run(cameras, "list", *at).output
    assert run(cameras, "log", "simulation", *at).exit_code == 0


def test_what_a_server_refuses_is_said(site):
    at = ("--server", site.pipeline)
    refused = run(pipelines, "start", "nothing", *at)
    assert refused.exit_code == 1
    assert "nothing" in refused.stderr
    assert run(pipelines, "config", "nothing", "no assignment", *at).exit_code == 2
    absent = run(pipelines, "list", "--server", "http://127.0.0.1:1")
    assert absent.exit_code == 3
    assert "no pipeline server answers" in absent.stderr
