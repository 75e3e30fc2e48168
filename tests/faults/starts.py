"""An engine that is started, killed and started anew with the same settings, as something supervises it."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path

import repstream
from repstream.errors import Unanswered
from tests.cli.running import free_port, started
from tests.integration.rig import Detector

QUIET = ("--no-tango", "--no-epics", "--no-http")


def prepare(folder: Path, **fields: object) -> None:
    """Have the first start write to ``scan.h5`` in `folder`."""
    writer = {"output_file": str(folder / "scan.h5"), "overwrite": True, **fields}
    (folder / "first.json").write_text(json.dumps({"schema_version": 1, "writers": {"main": writer}}))


class Start:
    """One start of the engine whose settings are in `folder`; it runs."""

    def __init__(self, folder: Path, stack: ExitStack, detector: Detector, *options: object) -> None:
        self.detector = detector
        address = f"tcp://127.0.0.1:{free_port()}"
        site = ("--engine-address", address, "--root", folder, "--settings", folder / "settings.json")
        line = ("serve", *site, "--config", folder / "first.json", *QUIET, *options)
        self.process = stack.enter_context(started(*line))
        assert self.process.stdout
        assert any("serving" in line for line in self.process.stdout)
        self.client = stack.enter_context(repstream.Client(address))
        if self.client.read("engine.state") != "RUNNING":
            self.client.write("source.address", detector.address)
            # On a busy machine a new data plane may not have answered yet.
            with suppress(Unanswered):
                self.client.execute("engine.start")
            self.client.wait("engine.state", "RUNNING", timeout=60)
        self.plane = int(str(self.client.read("engine.process_id")))

    def value(self, field: str) -> object:
        """A value of the writer."""
        return self.client.read(f"writers.main.{field}")

    def begin(self, images: int) -> repstream.protocol.Handle:
        self.client.write("writers.main.num_images", images)
        return self.client.execute("writers.main.start")

    def write(self, images: int) -> None:
        handle = self.begin(images)
        self.detector.send(range(images))
        assert handle.wait(30).ok

    def kill(self) -> None:
        """Kill the service, and not its data plane."""
        self.process.kill()
        self.process.wait(10)
