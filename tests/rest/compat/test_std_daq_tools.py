"""The published client's command line tools, every one, as they are installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from repstream.service.service import Service
from tests.fakes import FakePlane
from tests.rest.compat.std_daq import CONFIG

TOOLS = {
    point.name: point.value.partition(":")[2]
    for point in distribution("std-daq-client").entry_points
    if point.group == "console_scripts"
}


class Tools:
    """Runs them in `folder`, where the server's address is known by the environment or by ``-b``."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self.used: set[str] = set()

    def __call__(self, tool: str, *arguments: str, by_option: bool = False) -> Any:
        ran = self.run(tool, *arguments, by_option=by_option)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def run(self, tool: str, *arguments: str, by_option: bool = False) -> subprocess.CompletedProcess[str]:
        self.used.add(tool)
        code = f"import sys, std_daq_client.cli as cli; cli.{TOOLS[tool]}()"
        address = ["-b", self._url] if by_option else []
        environment = {**os.environ, "STD_DAQ_API_URL": "http://127.0.0.1:1" if by_option else self._url}
        return subprocess.run(
            [sys.executable, "-c", code, *address, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self._folder,
            timeout=60,
            check=False,
        )


def test_a_session_with_every_tool(url: str, running: tuple[Service, FakePlane], tmp_path: Path) -> None:
    run = Tools(url, tmp_path)
    plane = running[1]
    first, second = str(tmp_path / "first.h5"), str(tmp_path / "second.h5")

    assert run("std_cli_get_config") is None
    assert run("std_cli_get_deploy_status")["status"] == "UNKNOWN"
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert run("std_cli_set_config", "config.json") == CONFIG
    (tmp_path / "part.json").write_text(json.dumps({"bit_depth": 32}))
    assert run("std_cli_set_config", "part.json", by_option=True) == {**CONFIG, "bit_depth": 32}
    assert run("std_cli_get_config", by_option=True)["bit_depth"] == 32
    assert run("std_cli_get_deploy_status")["status"] == "SUCCESS"

    assert run("std_cli_get_status") == {"state": "READY", "acquisition": None}
    assert run("std_cli_get_logs") == []
    assert run("std_cli_write_async", first, "4")["acquisition"]["state"] == "WAITING_IMAGES"
    plane.receive(3)
    stopped = run("std_cli_write_stop")["acquisition"]
    assert (stopped["message"], stopped["stats"]["n_write_completed"]) == ("Interrupted.", 3)
    plane.open_gate_gives(2)
    written = run("std_cli_write_sync", second, "2", by_option=True)
    assert written["acquisition"]["message"] == "Completed."
    assert run("std_cli_get_logs", "-n", "5") == [written["acquisition"], stopped]
    assert run("std_cli_get_logs") == [written["acquisition"]]
    assert set(run("std_cli_get_stats")) == {"detector", "writer"}

    refused = run.run("std_cli_write_sync", str(tmp_path / "gone" / "run.h5"), "2")
    assert refused.returncode != 0
    assert "StdDaqAdminException" in refused.stderr
    assert "gone" in refused.stderr
    assert run.used == set(TOOLS)
