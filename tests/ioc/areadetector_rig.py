"""areaDetector's view of an engine with a real data plane; programs of its clients run in processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repstream.protocol import Requester
from repstream_epics.server import IocServer
from repstream_epics.views import chosen
from tests.integration.rig import DTYPE, SHAPE, Detector, Rig
from tests.ioc.clients import environment

ME = Requester("test", "", "")
WORKER = Path(__file__).with_name("ophyd_areadetector_worker.py")


@contextmanager
def sending(detector: Detector) -> Iterator[None]:
    """A detector that runs freely, a hundred images a second at most."""
    end = threading.Event()

    def send() -> None:
        frame_id = 0
        while not end.wait(0.01):
            detector.send(range(frame_id, frame_id + 1))
            frame_id += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def prepared(rig: Rig) -> IocServer:
    """The view ``T:AD:`` of an engine that states the size of its images."""
    height, width = SHAPE
    rig.service.write(
        {"source.image_height": height, "source.image_width": width, "source.image_type": DTYPE}, ME
    )
    return IocServer({"rig": rig.service}, "T:", port=0, views=chosen("T:AD:"))


def run_program(folder: Path, port: int, text: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; it prints its ``documents``."""
    script = folder / "program.py"
    script.write_text(text)
    command = [sys.executable, str(WORKER), str(script)]
    return subprocess.run(
        command, env=environment(port), capture_output=True, text=True, timeout=100, check=False
    )
