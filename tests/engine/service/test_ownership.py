"""One owner of the state: requests of several clients have their turn, and each is judged in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from tests.fakes import FakePlane
from tests.waiting import until

from repstream.accounting import OutputSnapshot
from repstream.dataplane import control
from repstream.errors import EngineFault, Refused, Unanswered
from repstream.protocol import Requester
from repstream.service.service import Service
from repstream.states import AcquisitionResult, AcquisitionState

ME = Requester("test", "me", "here")
FLUSHING, NONE = AcquisitionState.FLUSHING_IMAGES, AcquisitionResult.NONE


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def value(service: Service, key: str) -> object:
    return service.read(key).value


def asked(plane: FakePlane) -> list[str]:
    return [type(request).__name__ for request in plane.requests]


def give(clients: ThreadPoolExecutor, service: Service, command: str) -> Future[Any]:
    return clients.submit(service.execute, command, None, ME)


def test_a_start_right_after_a_stop_waits_until_all_is_drained(
    service: Service, plane: FakePlane, clients: ThreadPoolExecutor
) -> None:
    service.execute("engine.start", None, ME)
    plane.draining = True
    stop = service.execute("engine.stop", None, ME)
    start = give(clients, service, "engine.start")
    initialize = give(clients, service, "engine.initialize")
    until(lambda: asked(plane)[-1] == "Close")
    time.sleep(0.2)
    assert not start.done() and not initialize.done() and stop.completion is None
    assert value(service, "engine.state") == "STOPPED"
    plane.drained()
    outcomes = [f.exception(10) for f in (start, initialize)]
    # Whichever was first: the other one was judged after it.
    assert sum(outcome is None for outcome in outcomes) >= 1
    assert stop.wait(5).ok
    running = asked(plane)[-1] == "Open"
    assert (value(service, "engine.state") == "RUNNING") is running
    if value(service, "engine.state") != "RUNNING":
        service.execute("engine.start", None, ME)
    assert asked(plane).count("Open") == 2


def test_a_drain_that_does_not_end_refuses_and_changes_nothing(
    service: Service, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.service.turn.WAIT_TIME", 0.3)
    service.execute("engine.start", None, ME)
    plane.draining = True
    service.execute("engine.stop", None, ME)
    for command in ("engine.start", "engine.initialize", "engine.reset", "writers.main.start"):
        with pytest.raises(Refused, match="still drains"):
            service.execute(command, None, ME)
    assert asked(plane) == ["Open", "Close"]
    plane.drained()
    service.execute("writers.main.start", None, ME)
    assert value(service, "engine.state") == "RUNNING"


def test_of_two_starts_at_once_one_is_refused(
    service: Service, plane: FakePlane, clients: ThreadPoolExecutor
) -> None:
    starts = [give(clients, service, "writers.main.start") for _ in range(6)]
    errors = [start.exception(10) for start in starts]
    assert [type(error) for error in errors if error is not None] == [Refused] * 5
    assert asked(plane) == ["Open", "Arm"]


def test_what_a_removed_writer_was_doing_is_heard_by_nobody(service: Service, plane: FakePlane) -> None:
    service.execute("writers.main.start", None, ME)
    plane.receive(2)
    (plan,) = (r.plan for r in plane.requests if isinstance(r, control.Arm))
    service.execute("writers.main.stop", None, ME).wait(5)
    report = control.WriterReport(
        OutputSnapshot(2, 2, {}, {}, 0, 2, 1), 0.0, plan.acquisition_id, FLUSHING, False, 0, 2
    )
    late = control.AcquisitionNotice(
        1, plan.acquisition_id, FLUSHING, NONE, "", plan.path, 1.7e9, time.monotonic(), report
    )
    service.execute("engine.stop", None, ME).wait(5)
    service.execute("engine.configure", '{"writers": {"main": null}}', ME)
    plane._tell(late)
    plane._tell(control.GateNotice(1, plan.acquisition_id, time.monotonic()))
    plane._tell(plane._report())
    assert service.execute("engine.start", None, ME).wait(5).ok
    assert value(service, "writers.1.acq_state") is None


def test_a_fault_of_ours_is_no_refusal(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("repstream.service.acquisitions.Preparation.plan", fail)
    with pytest.raises(EngineFault, match="of all things"):
        service.execute("writers.main.start", None, ME)
    assert value(service, "writers.main.start_result") == "failed"
    monkeypatch.undo()
    assert service.execute("writers.main.start", None, ME).completion is None


# --- a data plane that stalls -------------------------------------------------------------


def test_a_stall_is_seen_and_no_rate_is_shown(service: Service, plane: FakePlane) -> None:
    service.execute("engine.start", None, ME)
    plane.receive(10)
    until(lambda: value(service, "source.received") == 10)
    plane.stalled = True
    until(lambda: value(service, "engine.state") == "UNKNOWN")
    said = "the data plane has not answered since"
    until(lambda: said in str(value(service, "engine.status")))
    assert value(service, "source.rate") is None
    assert value(service, "streams.live.throughput") is None
    plane.go_on()
    until(lambda: value(service, "engine.state") == "RUNNING")


def test_a_command_to_a_stalled_data_plane_is_not_known_yet_and_done_later(
    service: Service, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.service.turn.STALL_TIME", 0.3)
    service.execute("engine.start", None, ME)
    plane.stalled = True
    until(lambda: value(service, "engine.state") == "UNKNOWN")
    with pytest.raises(Unanswered, match="not known yet: the data plane has not answered since"):
        service.write({"streams.live.every_nth": 7}, ME)
    assert value(service, "streams.live.every_nth") == 1
    plane.go_on()
    until(lambda: value(service, "streams.live.every_nth") == 7)
    assert plane.configuration.streams["live"].every_nth == 7


def test_a_start_that_is_not_known_yet_says_so_and_then_what_became_of_it(
    service: Service, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.service.turn.STALL_TIME", 0.3)
    plane.stalled = True
    until(lambda: value(service, "engine.state") == "UNKNOWN")
    with pytest.raises(Unanswered):
        service.execute("writers.main.start", None, ME)
    assert value(service, "writers.main.start_result") == "unknown"
    plane.go_on()
    until(lambda: value(service, "writers.main.start_result") == "accepted")
    assert value(service, "writers.main.gate") == "open"
    assert value(service, "engine.state") == "RUNNING"


def test_reset_ends_a_stalled_data_plane(service: Service, plane: FakePlane) -> None:
    service.execute("engine.start", None, ME)
    plane.stalled = True
    until(lambda: value(service, "engine.state") == "UNKNOWN")
    service.execute("engine.reset", None, ME)
    assert value(service, "engine.state") == "INITIALIZED"
    assert service.execute("engine.start", None, ME).wait(5).ok


def test_patience_ends_at_last(service: Service, plane: FakePlane) -> None:
    handle = service.execute("writers.main.start", None, ME)
    service.write({"engine.stall_patience": 1.5}, ME)
    plane.stalled = True
    until(lambda: value(service, "engine.state") == "ERROR")
    assert "having given no sign of life for" in str(value(service, "engine.status"))
    assert not handle.wait(5).ok
    service.execute("engine.initialize", None, ME)
    assert service.execute("engine.start", None, ME).wait(5).ok


def test_reads_go_on_while_a_request_waits(
    service: Service, plane: FakePlane, clients: ThreadPoolExecutor
) -> None:
    service.execute("engine.start", None, ME)
    plane.stalled = True
    waiting = clients.submit(service.write, {"streams.live.every_nth": 7}, ME)
    time.sleep(0.1)
    begun = threading.Event()

    def read() -> None:
        for _ in range(1000):
            service.read("engine.state")
            service.snapshot()
        begun.set()

    clients.submit(read).result(5)
    assert begun.is_set() and not waiting.done()
    plane.go_on()
    waiting.result(10)
