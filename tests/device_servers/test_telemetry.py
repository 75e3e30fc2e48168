"""Traces of pytango where they are asked for, and no cost of them where they are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
