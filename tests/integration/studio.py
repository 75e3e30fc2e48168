"""A detector, an engine and its pictures, for tests of whoever shows them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from repstream.parameters.configuration import Configuration
from repstream.protocol import Requester
from repstream.service.options import ServiceOptions
from repstream.service.service import Service
from tests.integration.rig import Detector, free_port

ME = Requester("test")
ROI = {"roi1_y": 10, "roi1_x": 20, "roi1_height": 30, "roi1_width": 40}


class Studio:
    """A detector that sends while `sending`, an engine with a preview and a picture of it."""

    def __init__(self, folder: Path, **picture: Any) -> None:
        self.detector = Detector()
        port = free_port()
        stream = {"address": f"tcp://127.0.0.1:{port}", "mode": "PUB", "alarm_on_drop": False}
        configuration = {
            "source": {"address": self.detector.address},
            "streams": {
                "preview": {**stream, "policy": "periodic", "burst_rate": 20, "buffer_size": 10},
                "all": {**stream, "address": f"tcp://127.0.0.1:{free_port()}"},
                "push": {"address": f"tcp://127.0.0.1:{free_port()}", "mode": "PUSH"},
            },
            "writers": {"main": {"folder": str(folder), "file_name": "file"}},
            "pictures": {"1": {"stream": "preview", "rate": 20, **ROI, **picture}},
        }
        self.service = Service(
            ServiceOptions(roots=(folder,), configuration=Configuration.model_validate(configuration))
        )
        self.sent = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        try:
            self.service.start()
            self.service.execute("engine.start", None, ME)
        except BaseException:
            self.close()
            raise

    def send(self) -> None:
        """Send frames, about 100 a second, from now on."""
        self._thread.start()

    def stop_sending(self) -> None:
        self._ending.set()
        self._thread.join(10)

    def value(self, field: str, slot: int = 1) -> Any:
        return self.service.read(f"pictures.{slot}.{field}").value

    def process(self) -> int:
        """The pictures' process: the child of this one that is called so."""
        children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        for child in " ".join(path.read_text() for path in children).split():
            if "repstream.pictures.process" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        return 0

    def close(self) -> None:
        self.stop_sending() if self._thread.is_alive() else None
        self.service.close()
        self.detector.close()

    def _send(self) -> None:
        while not self._ending.wait(0.01):
            self.detector.send(range(self.sent, self.sent + 1))
            self.sent += 1
