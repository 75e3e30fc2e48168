"""What starts the server, and what is refused before anything starts."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tango

from repstream.errors import RegistrationError
from repstream.parameters.catalogue import build
from repstream_tango.command_line import Device, command_line, devices, from_tango, parser
from repstream_tango.server import main, tango_arguments, unreachable_from
from tests.device_servers.serving import engine_at, free_port, running, until


def test_the_server_understands_the_line_that_others_start_it_by() -> None:
    line = command_line(
        "tcp://h:1",
        "bl",
        database="db:10000",
        register=True,
        host="::1",
        port=7,
        repeaters={"a/b/c": ""},
        writers=["a/w/2"],
    )
    options = parser().parse_args(line[3:])
    assert line[0] == sys.executable
    assert (options.engine, options.instance, options.database) == ("tcp://h:1", "bl", "db:10000")
    assert (options.register, options.host, options.port) == (True, "::1", 7)
    assert (options.repeater, options.writer) == ([Device("RepStream", "a/b/c")], ["a/w/2"])


def test_without_names_there_is_a_device_for_each_slot() -> None:
    found = devices(None, None, build(slots={"writers": 2, "streams": 2, "pictures": 1}))
    assert [(device.tango_class, device.name) for device in found] == [
        ("RepStream", "repstream/repeater/1"),
        ("HDF5Writer", "repstream/writer/1"),
        ("HDF5Writer", "repstream/writer/2"),
        ("LiveStream", "repstream/stream/1"),
        ("LiveStream", "repstream/stream/2"),
        ("LivePicture", "repstream/picture/1"),
    ]
    assert [device.name for device in devices(None, ["a/b/1"], build())] == ["repstream/repeater/1", "a/b/1"]


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


def test_tangos_own_options_mean_what_tango_people_expect() -> None:
    written = [
        "bl",
        "-nodb",
        "-v4",
        "-ORBendPoint",
        "giop:tcp:localhost:7",
        "-dlist",
        "RepStream::a/b/1, X::a/b/2",
    ]
    options = parser().parse_args(from_tango(written))
    assert (options.instance, options.nodb, options.verbose) == ("bl", True, "4")
    assert (options.host, options.port) == ("localhost", 7)
    arguments = tango_arguments(options, build())
    assert arguments[arguments.index("-dlist") + 1] == "RepStream::a/b/1,X::a/b/2"
    assert arguments[arguments.index("-ORBendPoint") + 1] == "giop:tcp:localhost:7"
    assert "-v4" in arguments


@pytest.mark.parametrize(
    ("end_point", "host", "port"),
    [("giop:tcp::12", "0.0.0.0", 12), ("giop:tcp:h:", "h", None), ("giop:tcp:[::1]:5", "::1", 5)],
)
def test_parts_of_an_end_point_may_be_left_out(end_point: str, host: str, port: int | None) -> None:
    options = parser().parse_args(from_tango(["-ORBendPoint", end_point]))
    assert (options.host, options.port) == (host, port)


def test_a_wrong_end_point_is_refused_with_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-nodb", "-ORBendPoint", "12345"]) == 2
    assert "such as giop:tcp:host:port" in capsys.readouterr().err


def test_it_serves_when_started_as_any_server_of_tango(tmp_path: Path) -> None:
    port = free_port()
    tangos = [
        "-nodb",
        "-dlist",
        "RepStream::a/b/1,HDF5Writer::a/w/2",
        "-ORBendPoint",
        f"giop:tcp:127.0.0.1:{port}",
    ]
    with engine_at(tmp_path) as (engine, _):
        line = [sys.executable, "-m", "repstream_tango.server", "bl", "--engine", engine, *tangos, "-v4"]
        with running(line):
            repeater, second = (
                tango.DeviceProxy(f"tango://127.0.0.1:{port}/{name}#dbase=no") for name in ("a/b/1", "a/w/2")
            )
            until(lambda: repeater.State() == tango.DevState.STANDBY, "the engine to be found")
            server = tango.DeviceProxy(repeater.adm_name())
            assert sorted(server.QueryDevice()) == ["HDF5Writer::a/w/2", "RepStream::a/b/1"]
            assert list(server.GetLoggingLevel(["a/b/1"])[0]) == [5]  # DEBUG
            assert second.State() == tango.DevState.UNKNOWN  # nothing is in slot 2
            repeater.Start()
            until(lambda: repeater.State() == tango.DevState.RUNNING, "the engine to run")


def test_a_question_mark_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["-?"])
    assert ended.value.code == 0
    assert "-nodb" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "database", "warned"),
    [
        ("127.0.0.1", "db.elsewhere", True),
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1", socket.gethostname(), False),
        ("0.0.0.0", "db.elsewhere", False),
    ],
)
def test_an_address_that_others_cannot_reach_is_warned_of(host: str, database: str, warned: bool) -> None:
    assert bool(unreachable_from(host, database)) == warned


def test_a_database_that_does_not_answer_is_named() -> None:
    port = free_port()
    line = command_line(database=f"127.0.0.1:{port}")
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"no Tango database answers at 127.0.0.1:{port}" in ended.stderr


@pytest.mark.parametrize("given", ["LimaLike", "::a/b/1", "LimaLike::a/b"])
def test_a_device_needs_its_class_and_a_name(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--device", given])
    assert "--device" in capsys.readouterr().err
