"""Traces of pytango where they are asked for, and no cost of them where they are not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tango

from repstream_tango.command_line import command_line
from tests.device_servers.serving import REPEATER, engine_at, free_port, running, until

LOOK = """
import repstream_tango.server
from tango import _instrumentation
print(_instrumentation._force_tracing)
"""


@pytest.mark.parametrize(("asked", "wrapped"), [("", "False"), ("on", "True")])
def test_what_clients_call_is_wrapped_only_for_traces(asked: str, wrapped: str) -> None:
    pytest.importorskip("opentelemetry")
    environment = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key}
    said = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**environment, "TANGO_TELEMETRY_ENABLE": asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split()[-1] == wrapped


def test_what_a_client_reads_is_traced(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry")
    port, said = free_port(), []
    asked = {"TANGO_TELEMETRY_ENABLE": "on", "TANGO_TELEMETRY_TRACING_EXPORTERS": "console"}
    with (
        engine_at(tmp_path) as (engine, _),
        running(command_line(engine, port=port), {**os.environ, **asked}) as server,
    ):
        assert server.stdout is not None
        threading.Thread(target=said.extend, args=[server.stdout], daemon=True).start()
        repeater = tango.DeviceProxy(f"tango://127.0.0.1:{port}/{REPEATER}#dbase=no")
        until(lambda: repeater.SourceMode is not None and traced(said), "the span of a read")


def traced(lines: list[str]) -> bool:
    return any('"name"' in line and "SourceMode" in line for line in lines)
