"""A writer begins its next acquisition while the last one is still flushed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import FakePlane, running_service

from repstream.errors import Refused
from repstream.link.handles import PendingHandle
from repstream.parameters.facts import Value
from repstream.protocol import Requester
from repstream.service.on_close import CloseCommand
from repstream.service.service import Service

ME = Requester("test")


@pytest.fixture
def plane() -> FakePlane:
    plane = FakePlane()
    plane.slow = True
    return plane


@pytest.fixture
def service(tmp_path: Path, plane: FakePlane) -> Iterator[Service]:
    with running_service(tmp_path, plane) as (service, _):
        yield service


def told(service: Service, *fields: str) -> list[Value]:
    return [service.read(f"writers.main.{field}").value for field in fields]


def until(service: Service, field: str, wanted: Value | Callable[[Any], bool]) -> None:
    """Wait for a value that the service has not taken from the data plane yet."""
    test = wanted if callable(wanted) else lambda value: value == wanted
    end = time.monotonic() + 20
    while not test(told(service, field)[0]):
        assert time.monotonic() < end, told(service, field)
        time.sleep(0.01)


def acquire(service: Service, plane: FakePlane, images: int) -> PendingHandle:
    """Start an acquisition and bring it so far that only its flushing is left."""
    service.write({"writers.main.num_images": images}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(images)
    until(service, "acq_state", "FLUSHING_IMAGES")
    return handle


def test_each_has_its_own_state_counters_and_completion(
    service: Service, plane: FakePlane, tmp_path: Path
) -> None:
    first = acquire(service, plane, 3)
    service.write({"writers.main.num_images": 5, "writers.main.run_id": "second"}, ME)
    second = service.execute("writers.main.start", None, ME)
    assert told(service, "previous_acq_state", "previous_full_file_name", "previous_num_requested") == [
        "FLUSHING_IMAGES",
        f"{tmp_path}/scan_000000.h5",
        3,
    ]
    assert told(service, "full_file_name", "num_requested", "acq_run_id", "acq_result") == [
        f"{tmp_path}/scan_000001.h5",
        5,
        "second",
        "none",
    ]
    plane.receive(4)
    until(service, "num_written", 4)
    until(service, "previous_left", 1)
    # Once a second, for people.
    until(
        service,
        "waiting",
        lambda text: f"{tmp_path}/scan_000000.h5 is still being written, 1 frame left" in text,
    )
    assert told(service, "previous_num_written", "progress") == [2, 80.0]
    plane.close_file(1)
    assert first.wait(5).ok
    assert told(service, "previous_acq_state", "previous_acq_result", "previous_num_written") == [
        "FINISHED",
        "completed",
        3,
    ]
    assert told(service, "acq_state", "state", "gate") == ["ACQUIRING_IMAGES", "WRITING", "open"]
    assert second.completion is None
    plane.receive(1)
    until(service, "acq_state", "FLUSHING_IMAGES")
    plane.close_file(1)
    assert second.wait(5).ok
    assert told(service, "state", "num_written", "previous_num_written") == ["READY", 5, 3]


def test_the_newest_may_end_first(service: Service, plane: FakePlane) -> None:
    first = acquire(service, plane, 3)
    second = service.execute("writers.main.arm", None, ME)
    assert second.wait(5).ok
    stop = service.execute("writers.main.stop", None, ME)
    until(service, "acq_state", "FLUSHING_IMAGES")
    plane.close_file(1, which=-1)
    assert stop.wait(5).message == "0 of 3 images: Interrupted."
    assert told(service, "state", "acq_state", "previous_acq_state") == [
        "WRITING",
        "FINISHED",
        "FLUSHING_IMAGES",
    ]
    with pytest.raises(Refused, match=r"scan_000000\.h5 is still being written, .*frames? left; wait"):
        service.execute("writers.main.start", None, ME)
    last = service.execute("writers.main.stop", None, ME)
    plane.close_file(1)
    assert first.wait(5).ok and last.wait(5).message == "Completed."
    assert told(service, "state") == ["READY"]


def test_a_third_one_waits_and_nothing_changes_while_frames_are_taken(
    service: Service, plane: FakePlane
) -> None:
    acquire(service, plane, 3)
    service.execute("writers.main.arm", None, ME)
    with pytest.raises(Refused, match="goes on; stop it first"):
        service.execute("writers.main.arm", None, ME)
    with pytest.raises(Refused, match="takes frames; stop it, or write this when it is READY"):
        service.write({"writers.main.num_images": 9}, ME)
    service.execute("writers.main.start", None, ME)
    plane.receive(3)
    until(service, "acq_state", "FLUSHING_IMAGES")
    for command in ("arm", "start"):
        with pytest.raises(Refused, match=r"scan_000000\.h5 is still being written"):
            service.execute(f"writers.main.{command}", None, ME)
    assert told(service, "full_file_name")[0] == told(service, "output_file")[0].replace("2.h5", "1.h5")


def test_both_fail_when_the_data_plane_dies(service: Service, plane: FakePlane) -> None:
    first = acquire(service, plane, 3)
    second = service.execute("writers.main.start", None, ME)
    plane.die("killed by SIGKILL")
    assert not first.wait(5).ok
    assert not second.wait(5).ok
    assert told(service, "acq_state", "previous_acq_state", "state") == ["FAILED", "FAILED", "UNKNOWN"]
    files = told(service, "previous_full_file_name", "full_file_name")
    for message, file in zip(told(service, "previous_acq_message", "acq_message"), files, strict=True):
        assert str(message).startswith("ERROR:the data plane died: killed by SIGKILL; ")
        assert str(message).endswith((f" images can be read in {file}", "no image was written"))


def test_the_command_for_closed_files_is_told_of_each_once(
    service: Service, plane: FakePlane, tmp_path: Path
) -> None:
    lines = tmp_path / "told.txt"
    wanted = "$REPSTREAM_FULL_FILE_NAME $REPSTREAM_ACQ_RESULT $REPSTREAM_NUM_WRITTEN $REPSTREAM_NUM_REQUESTED"
    command = CloseCommand(service, f"sh -c 'echo {wanted} >> {lines}'")
    acquire(service, plane, 3)
    acquire(service, plane, 5)
    handle = service.execute("writers.main.stop", None, ME)
    plane.close_file(1)
    plane.close_file(1)
    handle.wait(5)
    acquire(service, plane, 2)
    plane.close_file(1)
    until(service, "state", "READY")
    end = time.monotonic() + 20
    while not (lines.exists() and len(lines.read_text().splitlines()) == 3):
        assert time.monotonic() < end, lines.exists() and lines.read_text()
        time.sleep(0.01)
    assert sorted(lines.read_text().splitlines()) == [
        f"{tmp_path}/scan_000000.h5 completed 3 3",
        f"{tmp_path}/scan_000001.h5 completed 5 5",
        f"{tmp_path}/scan_000002.h5 completed 2 2",
    ]
    command.close()
