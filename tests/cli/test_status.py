"""What `repstream status` says of an engine."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from typer.testing import CliRunner

from repstream.link.server import EngineServer
from repstream.protocol import Requester
from repstream_cli.exits import Exit
from repstream_cli.main import app
from repstream_cli.status import lines
from tests.fakes import running_service
from tests.ports import free_port

ME = Requester("test")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


def test_an_acquisition_is_shown_with_its_times_and_what_came_of_it(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        service.write({"writers.main.num_images": 10}, ME)
        handle = service.execute("writers.main.start", None, ME)
        plane.receive(4)
        running = "\n".join(lines(service.snapshot().values, service.catalogue))
        file = service.read("writers.main.full_file_name").value
        service.execute("writers.main.stop", None, ME).wait(5)
        handle.wait(5)
        ended = "\n".join(lines(service.snapshot().values, service.catalogue))
    assert re.search(rf"{file}: \w+, \d+ of 10 images, dropped 0, {TIME} to now", running)
    assert re.search(rf"{file}: FINISHED, 4 of 10 images, dropped 0, {TIME} to {TIME}; ", ended)
    assert "last start interrupted" in ended


def test_an_error_is_shown_with_its_time(tmp_path: Path) -> None:
    with running_service(tmp_path) as (service, plane):
        handle = service.execute("writers.main.start", None, ME)
        plane.fail(1, "No space left on device")
        handle.wait(5)
        text = "\n".join(lines(service.snapshot().values, service.catalogue))
    assert re.search(rf"last error, {TIME}: .*No space left on device", text)


@contextmanager
def two_engines(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of an engine that writes a file, and one where nobody answers."""
    with (
        running_service(folder) as (service, plane),
        closing(EngineServer(service, "tcp://127.0.0.1:*")) as server,
    ):
        server.start()
        service.write({"writers.main.num_images": 10}, ME)
        service.execute("writers.main.start", None, ME)
        plane.receive(4)
        yield server.address, f"tcp://127.0.0.1:{free_port()}"


def test_several_engines_are_a_table_and_one_that_is_silent_is_shown_so(tmp_path: Path) -> None:
    runner = CliRunner()
    with two_engines(tmp_path) as (there, nowhere):
        arguments = ["status", "-a", f"north={there}", "-a", nowhere, "--timeout", "2"]
        seen = runner.invoke(app, arguments)
        twice = runner.invoke(app, ["status", "-a", f"north={there}", "-a", f"south={there}"])
        as_json = runner.invoke(app, [*arguments, "--json"])
        from_environment = runner.invoke(app, ["status"], env={"REPSTREAM_ENGINES": f"a={there} b={there}"})
    head, north, silent = seen.stdout.splitlines()
    assert head.split() == [
        "ENGINE",
        "HOST",
        "STATE",
        "RATE",
        "LOAD",
        "MISSING",
        "WRITERS",
        "SINCE",
        "STARTS",
    ]
    assert north.split()[:3] == ["north", platform.node(), "RUNNING"] and "main 4 of 10" in north
    assert silent.split()[0] == nowhere.removeprefix("tcp://") and "UNREACHABLE: " in silent
    assert (seen.exit_code, twice.exit_code, from_environment.exit_code) == (Exit.NOTHING, Exit.OK, Exit.OK)
    assert [line.split()[0] for line in from_environment.stdout.splitlines()] == ["ENGINE", "a", "b"]
    north_json, silent_json = json.loads(as_json.stdout)
    assert (north_json["reachable"], north_json["problem"]) == (True, "")
    assert north_json["values"]["writers.1.num_written"] == 4
    assert silent_json["problem"] and not silent_json["values"] and silent_json["since"] is None


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (there, _):
        seen = CliRunner().invoke(app, ["status", "-a", f"a={there}", "-a", f"a={there}"])
    assert seen.exit_code == Exit.USAGE and "two engines have the name" in seen.output
