"""The standard DAQ's command line tools: those of the published client, and ours of the same names."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from repstream.service.service import Service
from repstream_cli.main import app
from repstream_cli.std_cli import tables, tools
from tests.fakes import FakePlane
from tests.integration.rig import until
from tests.rest.compat.std_daq import CONFIG

THEIRS = {
    point.name: point
    for point in distribution("std-daq-client").entry_points
    if point.group == "console_scripts"
}


def theirs(name: str, arguments: list[str]) -> int:
    sys.argv[1:] = arguments
    THEIRS[name].load()()
    return 0


class Tools:
    """Runs them in this process; they know the server by the environment or by ``-b``."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.run: Callable[[str, list[str]], int] = tools.run
        self._url = url
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.used: set[str] = set()

    def __call__(self, name: str, *arguments: str, by_option: bool = False) -> Any:
        self.used.add(name)
        code = self.code(name, *arguments, by_option=by_option)
        output = self._capsys.readouterr()
        assert code == 0, output.err
        return json.loads(output.out)

    def code(self, name: str, *arguments: str, by_option: bool = False) -> int:
        self._monkeypatch.setattr(sys, "argv", [name])
        self._monkeypatch.setenv("STD_DAQ_API_URL", "http://127.0.0.1:1" if by_option else self._url)
        return self.run(name, [*(["-b", self._url] if by_option else []), *arguments])


@pytest.fixture
def do(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tools:
    return Tools(url, monkeypatch, capsys)


@pytest.mark.parametrize("run", [theirs, tools.run])
def test_a_session_with_every_tool(
    do: Tools,
    running: tuple[Service, FakePlane],
    tmp_path: Path,
    run: Callable[[str, list[str]], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    do.run = run
    plane = running[1]
    first, second = str(tmp_path / "first.h5"), str(tmp_path / "second.h5")
    monkeypatch.chdir(tmp_path)

    assert do("std_cli_get_config") is None
    assert do("std_cli_get_deploy_status")["status"] == "UNKNOWN"
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert do("std_cli_set_config", "config.json") == CONFIG
    (tmp_path / "part.json").write_text(json.dumps({"bit_depth": 32}))
    assert do("std_cli_set_config", "part.json", by_option=True) == {**CONFIG, "bit_depth": 32}
    assert do("std_cli_get_config", by_option=True)["bit_depth"] == 32
    assert do("std_cli_get_deploy_status")["status"] == "SUCCESS"

    assert do("std_cli_get_status") == {"state": "READY", "acquisition": None}
    assert do("std_cli_get_logs") == []
    assert do("std_cli_write_async", first, "4")["acquisition"]["state"] == "WAITING_IMAGES"
    plane.receive(3)
    stopped = do("std_cli_write_stop")["acquisition"]
    assert (stopped["message"], stopped["stats"]["n_write_completed"]) == ("Interrupted.", 3)
    plane.open_gate_gives(2)
    written = do("std_cli_write_sync", second, "2", by_option=True)
    assert written["acquisition"]["message"] == "Completed."
    assert do("std_cli_get_logs", "-n", "5") == [written["acquisition"], stopped]
    assert do("std_cli_get_logs") == [written["acquisition"]]
    assert set(do("std_cli_get_stats")) == {"detector", "writer"}
    assert do.used == set(THEIRS) == set(tools.TOOLS)


def test_the_published_tool_raises_what_was_refused(do: Tools, tmp_path: Path) -> None:
    do.run = theirs
    with pytest.raises(Exception, match="gone") as caught:
        do.code("std_cli_write_sync", str(tmp_path / "gone" / "run.h5"), "2")
    assert type(caught.value).__name__ == "StdDaqAdminException"


def test_ours_say_in_a_line_what_is_wrong(
    do: Tools, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text("{")
    for code, says, name, *arguments in (
        (1, "gone", "std_cli_write_sync", str(tmp_path / "gone" / "run.h5"), "2"),
        (1, "Connection refused", "std_cli_get_status", "-b", "http://127.0.0.1:1"),
        (1, "status 404", "std_cli_get_status", "-b", f"{url}/nonsense"),
        (2, "no base URL", "std_cli_get_status", "--url_base", "nonsense"),
        (2, "is not JSON", "std_cli_set_config", str(tmp_path / "bad.json")),
        (2, "No such file", "std_cli_set_config", str(tmp_path / "none.json")),
        (2, "Missing argument", "std_cli_write_async"),
    ):
        assert do.code(name, *arguments) == code
        output = capsys.readouterr()
        assert says in output.err
        assert not output.out
        assert "Traceback" not in output.err


def test_on_a_terminal_they_are_tables() -> None:
    info = {"n_images": 5, "output_file": "/data/a.h5", "run_id": 7}
    counts = {"n_write_requested": 5, "n_write_completed": 4, "start_time": 1.0, "stop_time": None}
    acquisition = {"state": "ACQUIRING_IMAGES", "message": "", "info": info, "stats": counts}
    rates = {"bytes_per_second": 12.3e6, "images_per_second": 7.0}
    servers = {"status": "SUCCESS", "message": "Done", "config_id": "1-0", "servers": {"host": "Done"}}
    console = Console(record=True, width=150)
    for table, answer, shows in (
        (tables.writer, {"state": "WRITING", "acquisition": acquisition}, ("WRITING", "4 of 5", "a.h5")),
        (tables.writer, {"state": "READY", "acquisition": None}, ("READY",)),
        (tables.logs, [acquisition, acquisition], ("4 of 5", "ACQUIRING_IMAGES")),
        (tables.logs, [], ("no acquisition",)),
        (tables.stats, {"detector": rates, "writer": rates}, ("7.0", "12.3")),
        (tables.config, CONFIG, ("EG9M", "0: [0, 7, 3, 0]")),
        (tables.config, None, ("no configuration",)),
        (tables.deployment, {**servers, "stats": {"start_time": 1.0, "stop_time": 2.0}}, ("host: Done",)),
        (tables.deployment, {**servers, "servers": None, "stats": None}, ("1-0",)),
    ):
        console.print(table(answer))
        shown = console.export_text()
        assert all(text in shown for text in shows), shown


def test_they_are_made_in_a_folder_by_command_only(url: str, tmp_path: Path) -> None:
    def command(*arguments: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, ["std-tools", str(tmp_path), *arguments])
        return ran.exit_code, str(ran.exception or ran.output)

    other = tmp_path / "std_cli_get_status"
    other.write_text("of std-daq-client")
    code, said = command()
    assert code and "std_cli_get_status of another package" in said
    assert [path.name for path in tmp_path.iterdir()] == [other.name]
    assert command("--replace")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == set(THEIRS)
    assert command()[0] == 0
    ran = subprocess.run(
        [other, "-b", url], capture_output=True, text=True, env={**os.environ}, timeout=60, check=False
    )
    assert json.loads(ran.stdout) == {"state": "READY", "acquisition": None}
    (tmp_path / "std_cli_get_logs").write_text("of another")
    assert command("--remove")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["std_cli_get_logs"]


def test_a_terminal_shows_how_far_the_file_is(
    url: str, running: tuple[Service, FakePlane], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "repstream_cli.std_cli", "std_cli_write_sync", "-b", url]
    arguments = [str(tmp_path / "run.h5"), "4"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        [*command, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = ""
        until(lambda: running[0].read("writers.1.gate").value == "open", "the gate")
        running[1].receive(3)
        while "3/4" not in shown:
            shown += os.read(ours, 4096).decode(errors="replace")
        assert "ACQUIRING_IMAGES" in shown
        running[1].receive(1)
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(20) == 0
    os.close(ours)
    assert "4/4" in shown
    assert "Completed." in shown
    assert "4 of 4" in shown


def _read(terminal: int) -> str:
    """What comes next; nothing once the program has ended."""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""
