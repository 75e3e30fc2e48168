"""Traces of pytango where they are asked for, and no cost of them where they are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from repstream.link.remote import RemoteEngine
from repstream.parameters.catalogue import build
from repstream_tango.projection import device_classes
from repstream_tango.publisher import Publisher

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


def test_a_span_is_called_as_its_attribute_is() -> None:
    """It was `_attribute.<locals>.read` for all of them."""
    publisher = Publisher(RemoteEngine)
    for made in device_classes(build(), publisher, "tcp://127.0.0.1:1"):
        wrapped = {name: how for name, how in vars(made).items() if name.endswith("_wrapper__")}
        assert wrapped
        for name, how in wrapped.items():
            what, attribute = name.removesuffix("_wrapper__").removeprefix("__").split("_", 1)
            assert how.__qualname__ == f"{attribute}.{what}"
