"""The session of itango among the examples, in a real itango on an embedded database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from repstream.link.server import EngineServer
from repstream_tango.command_line import command_line
from tests.device_servers.serving import ANY_PORT, running, tango_database
from tests.panels.stage import Stage

SESSION = Path(__file__).parents[2] / "examples" / "itango_session.ipy"


def test_a_session_of_itango_writes_a_file(python: Path, stage: tuple[Stage, Any], tmp_path: Path) -> None:
    engine, _ = stage
    server = EngineServer(engine.service, ANY_PORT)
    server.start()
    try:
        with (
            tango_database(tmp_path) as host,
            running(command_line(server.address, "itango", database=host, register=True)),
        ):
            said = subprocess.run(
                [python.with_name("itango"), "--simple-prompt", "--no-banner", "--colors=NoColor"],
                input=SESSION.read_text(),
                env={**os.environ, "TANGO_HOST": host, "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout
    finally:
        server.close()
    assert "repstream/repeater/1" in said
    assert "DevState.RUNNING" in said
    assert "'completed'" in said
    assert f"Completed. {engine.value('writers.1.full_file_name')}" in said
    assert engine.value("writers.1.num_written") == 20
