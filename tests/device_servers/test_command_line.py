"""What starts the server, and what is refused before anything starts."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from repstream.errors import RegistrationError
from repstream.parameters.catalogue import build
from repstream_tango.command_line import command_line, devices, parser
from repstream_tango.server import tango_arguments
from tests.device_servers.serving import free_port


def test_the_server_understands_the_line_that_others_start_it_by() -> None:
    line = command_line(
        "tcp://h:1",
        "bl",
        database="db:10000",
        register=True,
        host="::1",
        port=7,
        repeater="a/b/c",
        writers=["a/w/2"],
    )
    options = parser().parse_args(line[3:])
    assert line[0] == sys.executable
    assert (options.engine, options.instance, options.database) == ("tcp://h:1", "bl", "db:10000")
    assert (options.register, options.host, options.port) == (True, "::1", 7)
    assert (options.repeater, options.writer) == ("a/b/c", ["a/w/2"])


def test_without_names_there_is_a_writer_for_each_slot() -> None:
    names = [device.name for device in devices(None, None, build(slots={"writers": 2}))]
    assert names == ["repstream/repeater/1", "repstream/writer/1", "repstream/writer/2"]


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ([], "giop:tcp:127.0.0.1"),
        (["--host", "localhost"], "giop:tcp:localhost"),
        (["--host", "0.0.0.0"], "giop:tcp:"),
    ],
)
def test_it_listens_on_loopback_unless_told_otherwise(host: list[str], endpoint: str) -> None:
    port = free_port()
    arguments = tango_arguments(parser().parse_args(["--nodb", "--port", str(port), *host]), build())
    assert arguments[arguments.index("-ORBendPoint") + 1] == f"{endpoint}:{port}"


@pytest.mark.parametrize(
    "wrong", [["--port", "0"], ["--port", "x"], ["--repeater", "a/b"], ["--nodb", "--database", "h:1"]]
)
def test_a_wrong_option_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(wrong)
    assert wrong[0].removeprefix("--") in capsys.readouterr().err


def test_registering_without_a_database_is_refused() -> None:
    with pytest.raises(RegistrationError, match="--register needs a database"):
        tango_arguments(parser().parse_args(["--nodb", "--register", "--port", str(free_port())]), build())


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = command_line(port=taken.getsockname()[1])
        ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "already in use; choose another --port" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
