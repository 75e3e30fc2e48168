"""A data plane that was stopped comes back when its engine was replaced: the new files stay as they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from repstream.errors import Unanswered
from repstream.files.verify import verify
from tests.cli.processes import still_alive
from tests.faults.starts import Start, prepare
from tests.integration.rig import Detector, assert_holds, until


@pytest.fixture
def detectors() -> Iterator[tuple[Detector, Detector]]:
    both = Detector(), Detector()
    yield both
    for detector in both:
        detector.close()


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


def test_a_request_that_waited_in_its_pipe_makes_no_file(
    tmp_path: Path, detectors: tuple[Detector, Detector]
) -> None:
    prepare(tmp_path)
    with ExitStack() as stack:
        old = Start(tmp_path, stack, detectors[0])
        with stopped(old):
            with pytest.raises(Unanswered):
                old.client.execute("writers.main.start")
            old.kill()
            new = Start(tmp_path, stack, detectors[1])
            new.write(10)
            written = files(tmp_path)
        assert files(tmp_path) == written
        assert_holds(tmp_path / "scan.h5", range(10))
        new.write(5)
        assert_holds(tmp_path / "scan.h5", range(5))


def test_a_series_in_the_middle_goes_nowhere(tmp_path: Path, detectors: tuple[Detector, Detector]) -> None:
    prepare(tmp_path, images_per_file=4)
    with ExitStack() as stack:
        old = Start(tmp_path, stack, detectors[0])
        old.begin(20)
        old.detector.send(range(6))
        until(lambda: old.value("num_written") == 6, "the first images")
        with stopped(old):
            old.detector.send(range(6, 20))
            old.kill()
            for path in tmp_path.glob("scan*"):
                path.unlink()
            new = Start(tmp_path, stack, detectors[1])
            new.write(12)
            written = files(tmp_path)
        assert files(tmp_path) == written
        assert verify(tmp_path / "scan.h5").damaged == []
        assert_holds(tmp_path / "scan.h5", range(12))
