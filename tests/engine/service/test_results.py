"""What scripts learn of a start: its own result, and whether all images asked for are in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest
from tests.fakes import FakePlane

from repstream.errors import Refused
from repstream.protocol import Change, Event, Requester
from repstream.service.service import Service
from repstream.states import AcquisitionResult

ME, OTHER = Requester("test", "me"), Requester("test", "other")
START = ("start_result", "start_id", "start_count")


def told(service: Service, *fields: str) -> list[object]:
    return [service.read(f"writers.main.{field}").value for field in fields]


def test_a_start_after_a_run_is_never_taken_for_that_run(
    service: Service, plane: FakePlane, tmp_path: Path
) -> None:
    service.write({"writers.main.output_file": f"{tmp_path}/a.h5", "writers.main.num_images": 2}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(2)
    assert handle.wait(5).ok
    first = told(service, "acquisition_id")[0]
    assert told(service, *START) == ["completed", first, 1]
    (tmp_path / "a.h5").touch()
    with pytest.raises(Refused, match="exists"):
        service.execute("writers.main.start", None, ME)
    assert told(service, *START, "acq_state") == ["refused", "", 2, "FINISHED"]
    assert "a.h5 exists" in str(told(service, "start_message")[0])


@pytest.mark.parametrize(
    "spoil",
    [lambda s: s.execute("engine.lock", None, OTHER), lambda s: s.write({"writers.main.enable": False}, ME)],
)
def test_whatever_refuses_it_a_start_has_a_result(service: Service, spoil: Callable[[Service], None]) -> None:
    spoil(service)
    for command, argument in (("arm", None), ("start", None), ("start", -1)):
        with pytest.raises(Refused):
            service.execute(f"writers.main.{command}", argument, ME)
    assert told(service, *START) == ["refused", "", 3]


def test_the_start_of_an_armed_writer_is_that_of_its_acquisition(service: Service) -> None:
    service.execute("writers.main.arm", None, ME)
    (armed,) = told(service, "acquisition_id")
    assert told(service, *START) == ["accepted", armed, 1]
    service.execute("writers.main.start", None, ME)
    assert told(service, *START) == ["accepted", armed, 2]
    with pytest.raises(Refused):
        service.execute("writers.main.start", None, OTHER)
    assert told(service, *START, "acquisition_id") == ["refused", "", 3, armed]


def test_who_hears_that_a_start_was_taken_sees_nothing_of_the_run_before(
    service: Service, plane: FakePlane
) -> None:
    service.write({"writers.main.num_images": 1}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(1)
    handle.wait(5)
    events: Queue[Event] = Queue()
    service.subscribe(events.put)
    service.execute("writers.main.start", None, ME)
    values: dict[str, object] = dict(service.snapshot().values) | {"writers.1.acq_state": "FINISHED"}
    while True:
        event = events.get(timeout=5)
        if isinstance(event, Change):
            values |= event.values
            if "writers.1.start_count" in event.values:
                break
    assert (values["writers.1.acq_state"], values["writers.1.acq_result"]) == ("NONE", "none")


@pytest.mark.parametrize("images", [10, 0])
@pytest.mark.parametrize(
    "end",
    [
        lambda s, p: s.execute("writers.main.stop", None, OTHER),
        lambda s, p: s.execute("engine.stop", None, OTHER),
        lambda s, p: p._finish(1, AcquisitionResult.INTERRUPTED, "Interrupted: no image for 3 s."),
    ],
)
def test_fewer_images_than_asked_for_are_no_success(
    service: Service, plane: FakePlane, images: int, end: Callable[[Service, FakePlane], None]
) -> None:
    service.write({"writers.main.num_images": images}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(4)
    end(service, plane)
    completion = handle.wait(5)
    assert completion.ok is not bool(images)
    assert completion.message.startswith("4 of 10 images: Interrupted") is bool(images)
    assert told(service, "acq_state", "acq_result") == ["FINISHED", "interrupted"]
    result, acquisition = told(service, "start_result", "acquisition_id")
    assert result == ("interrupted" if images else "completed")
    assert (completion.result, completion.acquisition_id) == (result, acquisition)
    assert told(service, "start_id", "start_message") == [acquisition, completion.message]


def test_a_burst_that_is_cut_short_is_no_success(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 10}, ME)
    burst = service.execute("writers.main.start", 5, ME)
    plane.receive(4)
    stop = service.execute("writers.main.stop", None, OTHER)
    assert not burst.wait(5).ok
    assert stop.wait(5).ok


def test_an_abort_is_a_success_for_whoever_gave_it(service: Service, plane: FakePlane) -> None:
    service.write({"writers.main.num_images": 10}, ME)
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(4)
    abort = service.execute("writers.main.abort", None, OTHER)
    assert abort.wait(5).ok
    assert not handle.wait(5).ok
    assert told(service, "acq_state", "acq_result", "start_result") == ["FAILED", "aborted", "aborted"]
    assert service.read("engine.last_error").value == ""


def test_a_stop_is_none_where_the_storage_failed(service: Service, plane: FakePlane) -> None:
    plane.slow = True
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(1)
    plane.fail(1, "No space left on device")
    stop = service.execute("writers.main.stop", None, OTHER)
    assert handle.wait(5).result == "failed"
    assert told(service, "start_result") == ["failed"]
    assert stop.wait(5).ok  # nothing was open any more


def test_a_data_plane_that_dies_ends_the_start(service: Service, plane: FakePlane) -> None:
    handle = service.execute("writers.main.start", None, ME)
    plane.receive(1)
    plane.die("killed by SIGKILL")
    assert handle.wait(5).result == "failed"
    result, message = told(service, "start_result", "start_message")
    assert result == "failed" and "killed by SIGKILL" in str(message)


def test_the_end_of_an_acquisition_leaves_the_result_of_a_later_start_alone(
    service: Service, plane: FakePlane
) -> None:
    service.write({"writers.main.num_images": 2}, ME)
    handle = service.execute("writers.main.start", None, ME)
    with pytest.raises(Refused):
        service.execute("writers.main.start", None, OTHER)
    plane.receive(2)
    assert handle.wait(5).result == "completed"
    assert told(service, "start_result", "start_id") == ["refused", ""]


def test_the_last_file_number_is_refused_before_anything_is_made(
    service: Service, plane: FakePlane, tmp_path: Path
) -> None:
    service.write({"writers.main.file_number": 999_999_999}, ME)
    with pytest.raises(Refused, match="is the last one and auto_increment would raise it"):
        service.execute("writers.main.arm", None, ME)
    assert plane.requests == [] and list(tmp_path.iterdir()) == []
    assert told(service, "state", "acquisition_id") == ["READY", ""]


def test_a_pause_shuts_the_gate_and_keeps_the_file_open(service: Service, plane: FakePlane) -> None:
    service.execute("writers.main.arm", None, ME)
    counted = service.execute("writers.main.start", 100, ME)
    plane.receive(2)
    assert service.execute("writers.main.pause", None, ME).wait(5).ok
    assert counted.wait(5).ok, "a start for a number of frames ends with the gate"
    plane.receive(5)
    assert told(service, "gate", "state", "num_written") == ["shut", "WRITING", 2]
    service.execute("writers.main.start", None, ME)
    service.execute("writers.main.pause", None, ME)
    assert told(service, "gate", "start_result") == ["shut", "accepted"], "that for all ends with the file"
    service.execute("writers.main.pause", None, ME)
    service.execute("writers.main.stop", None, ME).wait(5)
    assert service.execute("writers.main.pause", None, ME).wait(5).ok, "nothing to do"


def test_a_writer_that_follows_series_cannot_pause(service: Service) -> None:
    service.write({"writers.main.follow_series": True}, ME)
    service.execute("writers.main.arm", None, ME)
    with pytest.raises(Refused, match="follow_series"):
        service.execute("writers.main.pause", None, ME)
