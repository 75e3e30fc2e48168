"""A device of another class beside ours, on the same engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import tango
from tango import DevState

from repstream_tango.command_line import command_line, parser
from tests.device_servers.serving import engine_at, free_port, running, until, writer

NAME = "lima/like/1"


def test_a_facade_shows_and_commands_the_same_engine(tmp_path: Path) -> None:
    port = free_port()
    with engine_at(tmp_path) as (address, _):
        line = [
            "tests.device_servers.facade_server" if part == "repstream_tango.server" else part
            for part in command_line(address, port=port)
        ]
        with running([*line, "--device", f"LimaLike::{NAME}"]):
            trl = f"tango://127.0.0.1:{port}/{{}}#dbase=no".format
            facade, own = tango.DeviceProxy(trl(NAME)), tango.DeviceProxy(trl(writer(1)))
            until(lambda: facade.State() == DevState.STANDBY, "the engine to be found")
            facade.acq_nb_frames = 12
            assert own.NumImages == 12
            with pytest.raises(tango.DevFailed, match="num_images"):
                facade.acq_nb_frames = -1
            assert facade.getAcqStatus() == "Ready"
            facade.prepareAcq()
            until(lambda: facade.getAcqStatus() == "Running", "the acquisition to begin")
            assert own.State() == DevState.RUNNING
            own.Abort()


@pytest.mark.parametrize("given", ["LimaLike", "::a/b/1", "LimaLike::a/b"])
def test_a_device_needs_its_class_and_a_name(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--device", given])
    assert "--device" in capsys.readouterr().err
