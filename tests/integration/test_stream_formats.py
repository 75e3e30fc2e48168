"""The bsread stream of the documentation, from its configuration to a client with psi-bsread."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.integration.rig import DTYPE, SHAPE, Detector
from tests.ports import free_port

ME = Requester("test")


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    pytest.importorskip("bsread")
    blocks = Path("docs/how-to/streams.md").read_text().split("```")
    settings = next(b for b in blocks if b.startswith("json") and "DETECTOR:FPICTURE" in b)
    client = next(b for b in blocks if b.startswith("python") and "from bsread" in b).removeprefix("python")
    detector, port = Detector(), free_port()
    settings = settings.removeprefix("json").replace("tcp://detector:9990", detector.address)
    settings = settings.replace("tcp://*:9999", f"tcp://127.0.0.1:{port}")
    options = ServiceOptions(
        name="test",
        roots=(tmp_path,),
        configuration=Configuration.model_validate_json(settings),
    )
    service = Service(options)
    service.start()
    try:
        service.execute("engine.start", None, ME).wait(20)
        detector.send(range(7, 8))
        command = [sys.executable, "-c", client.replace("9999", str(port))]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        service.close()
        detector.close()
    assert said.strip() == f"7 {SHAPE} {DTYPE}"
