"""The service is killed in the middle of a write: its data plane goes on, and the next start takes it up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import h5py
import pytest

from tests.cli.processes import still_alive
from tests.cli.running import repstream
from tests.faults.starts import Start, prepare
from tests.integration.rig import Detector, assert_holds, until

KEEP = ("--keep-data-plane", 60)


@pytest.fixture
def detector() -> Iterator[Detector]:
    detector = Detector()
    yield detector
    detector.close()


def in_the_middle(folder: Path, stack: ExitStack, detector: Detector, *options: object) -> Start:
    """A start that has written 10 of 30 images."""
    prepare(folder)
    start = Start(folder, stack, detector, *options)
    stack.callback(still_alive, {start.plane}, 20)
    start.begin(30)
    # A service that is killed before these are on the disk comes back with others.
    until(lambda: saved(folder, "num_images") == 30, "the settings")
    detector.send(range(10))
    until(lambda: start.value("num_written") == 10, "the first images")
    return start


def saved(folder: Path, field: str) -> object:
    """A setting of the writer on the disk."""
    return json.loads((folder / "settings.json").read_text())["writers"]["main"][field]


def outcome(path: Path) -> tuple[str, int]:
    with h5py.File(path) as file:
        group = file["/entry/acquisition"]
        return group["outcome"][()].decode(), len(file["/entry/data/data"])


def test_no_frame_is_lost_and_the_acquisition_is_the_same(tmp_path: Path, detector: Detector) -> None:
    with ExitStack() as stack:
        before = in_the_middle(tmp_path, stack, detector, *KEEP)
        acquisition = before.value("acquisition_id")
        before.kill()
        detector.send(range(10, 20))
        # --start asks for what goes on already.
        after = Start(tmp_path, stack, detector, *KEEP, "--start")
        assert after.plane == before.plane
        assert (after.value("acquisition_id"), after.value("state")) == (acquisition, "WRITING")
        until(lambda: after.value("num_written") == 20, "what came while there was no service")
        assert after.value("gate") == "open"
        detector.send(range(20, 30))
        until(lambda: after.value("acq_state") == "FINISHED", "the end")
        assert (after.value("acq_result"), after.value("start_result")) == ("completed", "completed")
        until(lambda: after.client.read("source.received") == 30, "the last report")
        assert_holds(tmp_path / "scan.h5", range(30))
        after.kill()  # a second time, with nothing under way: the stream of frames goes on
        again = Start(tmp_path, stack, detector, *KEEP)
        assert (again.plane, again.value("state")) == (before.plane, "READY")
        assert again.value("acquisition_id") == acquisition
        again.write(5)
        assert_holds(tmp_path / "scan.h5", range(5))
        again.client.execute("engine.stop").wait(20)


def test_one_that_stands_still_is_killed_and_replaced(tmp_path: Path, detector: Detector) -> None:
    with ExitStack() as stack:
        before = in_the_middle(tmp_path, stack, detector, *KEEP)
        os.kill(before.plane, signal.SIGSTOP)
        before.kill()
        after = Start(tmp_path, stack, detector)
        assert not still_alive({before.plane})
        assert after.value("state") == "READY"
        with h5py.File(tmp_path / "scan.h5") as file:
            assert len(file["/entry/data/data"]) == 10
        after.write(5)
        assert_holds(tmp_path / "scan.h5", range(5))


def test_one_that_runs_with_other_settings_closes_its_file(tmp_path: Path, detector: Detector) -> None:
    with ExitStack() as stack:
        before = in_the_middle(tmp_path, stack, detector, *KEEP)
        before.kill()
        path = tmp_path / "settings.json"
        settings = json.loads(path.read_text())
        settings["source"]["id_step"] = 2
        path.write_text(json.dumps(settings))
        after = Start(tmp_path, stack, detector)
        assert not still_alive({before.plane})
        assert after.value("state") == "READY"
        assert outcome(tmp_path / "scan.h5") == ("interrupted", 10)


def test_without_another_start_it_ends_in_time(tmp_path: Path, detector: Detector) -> None:
    with ExitStack() as stack:
        before = in_the_middle(tmp_path, stack, detector, "--keep-data-plane", 1)
        before.kill()
        assert not still_alive({before.plane}, 30)
    assert outcome(tmp_path / "scan.h5") == ("interrupted", 10)


def test_it_needs_settings_that_the_next_start_finds() -> None:
    refused = repstream("serve", *KEEP)
    assert refused.returncode == 2
    assert "add --settings" in refused.stderr
