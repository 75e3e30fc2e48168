"""A data plane that was stopped comes back when its engine was replaced: the new files stay as they are."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

import repstream
from repstream.errors import Unanswered
from repstream.files.verify import verify
from tests.cli.processes import still_alive
from tests.cli.running import free_port, started
from tests.integration.rig import Detector, assert_holds, until

QUIET = ("--no-tango", "--no-epics", "--no-http")


class Start:
    """One start of the engine whose settings are in `folder`, with a detector of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        address = f"tcp://127.0.0.1:{free_port()}"
        site = ("--engine-address", address, "--root", folder, "--settings", folder / "settings.json")
        self.process = stack.enter_context(started("serve", *site, "--config", folder / "first.json", *QUIET))
        assert self.process.stdout
        assert any("serving" in line for line in self.process.stdout)
        self.client = stack.enter_context(repstream.Client(address))
        self.detector = Detector()
        stack.callback(self.detector.close)
        self.client.write("source.address", self.detector.address)
        self.client.execute("engine.start")
        self.plane = int(str(self.client.read("engine.process_id")))

    def write(self, images: int) -> None:
        self.client.write("writers.main.num_images", images)
        handle = self.client.execute("writers.main.start")
        self.detector.send(range(images))
        assert handle.wait(30).ok

    def kill(self) -> None:
        """Kill the service; its data plane stands still and knows nothing of it."""
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = {"output_file": str(tmp_path / "scan.h5"), "overwrite": True}
    (tmp_path / "first.json").write_text(json.dumps({"schema_version": 1, "writers": {"main": writer}}))
    return tmp_path


@contextmanager
def stopped(start: Start) -> Iterator[None]:
    """The data plane stands still within the block, goes on behind it, and ends by itself."""
    os.kill(start.plane, signal.SIGSTOP)
    try:
        yield
        os.kill(start.plane, signal.SIGCONT)
        assert not still_alive({start.plane}, 20)
    finally:
        with suppress(ProcessLookupError):
            os.kill(start.plane, signal.SIGKILL)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("scan*")}


def test_a_request_that_waited_in_its_pipe_makes_no_file(folder: Path) -> None:
    with ExitStack() as stack:
        old = Start(folder, stack)
        with stopped(old):
            with pytest.raises(Unanswered):
                old.client.execute("writers.main.start")
            old.kill()
            new = Start(folder, stack)
            new.write(10)
            written = files(folder)
        assert files(folder) == written
        assert_holds(folder / "scan.h5", range(10))
        new.write(5)
        assert_holds(folder / "scan.h5", range(5))


def test_a_series_in_the_middle_goes_nowhere(folder: Path) -> None:
    with ExitStack() as stack:
        old = Start(folder, stack)
        old.client.write("writers.main.images_per_file", 4)
        old.client.execute("writers.main.start")
        old.detector.send(range(6))
        until(lambda: old.client.read("writers.main.num_written") == 6, "the first images")
        with stopped(old):
            old.detector.send(range(6, 20))
            old.kill()
            for path in folder.glob("scan*"):
                path.unlink()
            new = Start(folder, stack)
            new.write(12)
            written = files(folder)
        assert files(folder) == written
        assert verify(folder / "scan.h5").damaged == []
        assert_holds(folder / "scan.h5", range(12))
