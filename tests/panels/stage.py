"""An engine with everything that a panel shows, and programs in the environment of `make panels`."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from repstream.errors import Unanswered
from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.integration.rig import Detector, free_port
from tests.waiting import until

PYTHON, PYDM = (
    Path(__file__).parents[2] / venv / "bin" / "python" for venv in (".venv-panels", ".venv-pydm")
)
SCRIPTS = Path(__file__).parent
NOISE = "not found in event callback map"
"""What cppTango prints of events that come while a client unsubscribes."""
LIMA = "repstream/lima/1"
LOST = 100
"""Id of the frame that is lost on the way."""


def needed(python: Path) -> Path:
    """An environment that must be there in CI, and need not be elsewhere."""
    if not python.exists():
        reason = "the environment of the panels is not there: make panels"
        pytest.fail(reason) if os.environ.get("REPSTREAM_REQUIRE_ALL") == "1" else pytest.skip(reason)
    return python


class Stage:
    """An engine with streams, a writer and a picture, its Tango server, and a detector that sends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._detector = Detector()
        self.service = Service(ServiceOptions(roots=(folder,), configuration=self._configuration()))
        self.service.start()
        with suppress(Unanswered):  # on a busy machine it goes on meanwhile
            self.service.execute("engine.start", None, Requester("test"))
        until(lambda: self.value("engine.state") == "RUNNING", "the engine to run", 60)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(20)
        self.service.close()
        self._detector.close()

    def value(self, key: str) -> Any:
        return self.service.read(key).value

    def _send(self) -> None:
        sent = 0
        while not self._ending.wait(0.02):
            if sent != LOST:
                self._detector.send(range(sent, sent + 1))
            sent += 1

    def _configuration(self) -> Configuration:
        def stream(**more: Any) -> dict[str, Any]:
            return {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUB", **more}

        preview = stream(policy="periodic", burst_rate=10, alarm_on_drop=False, buffer_size=10)
        region = {"roi1_y": 10, "roi1_x": 20, "roi1_height": 30, "roi1_width": 40}
        return Configuration.model_validate(
            {
                "source": {"address": self._detector.address},
                "streams": {"preview": preview, "all": stream()},
                "writers": {"main": {"folder": str(self.folder)}},
                "pictures": {"1": {"stream": "preview", **region}},
            }
        )


def run(python: Path, *command: object, **environment: str) -> str:
    """Output of a program in the environment of the panels; what it said else is shown where it fails."""
    done = subprocess.run(
        [python, *map(str, command)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_API": "pyqt5", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if NOISE not in line]
    assert done.returncode == 0, f"status {done.returncode}: " + "\n".join(said[-40:])
    return done.stdout
