"""The limits of an acquisition in time: as pure rules, and as the end of a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.engine.dataplane.bench import Plane, configuration, frame_ids, receive
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import arm, images_of, result_of, running, send, start

from repstream.dataplane.writing.time_limits import TimeLimits
from repstream.states import AcquisitionResult

Address = Callable[[str], str]


def check(limits: TimeLimits, now: float, images: int = 0, **fields: Any) -> str:
    return limits.check(now, **{"images": images, "is_open": True, "held": False, "last_id": 7, **fields})


def test_no_limit_never_ends_anything() -> None:
    limits = TimeLimits()
    assert [check(limits, now, images) for now, images in ((0, 0), (1e6, 0), (2e6, 5), (9e9, 5))] == [""] * 4


def test_the_first_image_has_its_time_from_the_opening_of_the_gate() -> None:
    limits = TimeLimits(first_image=10)
    assert check(limits, 0.0, is_open=False) == check(limits, 100.0) == check(limits, 109.9) == ""
    assert check(limits, 110.0) == "no image came within 10 s of the start"


def test_a_pause_is_counted_from_the_last_image_and_not_while_the_gate_is_shut() -> None:
    limits = TimeLimits(first_image=1, idle=5)
    assert check(limits, 0.0) == check(limits, 0.5, 1) == check(limits, 5.0, 2) == check(limits, 9.9, 2) == ""
    assert check(limits, 60.0, 2, is_open=False) == check(limits, 61.0, 2) == check(limits, 65.9, 2) == ""
    assert check(limits, 66.0, 2) == "no image for 5 s, 2 came before, the last with id 7"


def test_time_in_which_an_output_holds_up_the_input_is_no_pause() -> None:
    limits = TimeLimits(first_image=5, idle=5)
    assert check(limits, 0.0) == check(limits, 100.0, held=True) == check(limits, 104.0) == ""
    assert check(limits, 105.0) == "no image came within 5 s of the start"


def test_the_longest_duration_goes_on_while_the_gate_is_shut() -> None:
    limits = TimeLimits(longest=60)
    assert (
        check(limits, 0.0, is_open=False)
        == check(limits, 10.0)
        == check(limits, 69.9, 4, is_open=False)
        == ""
    )
    assert check(limits, 70.0, 4) == "the longest duration of 60 s is over, 4 images came"


@pytest.mark.parametrize(
    "case",
    [
        ({"first_image_timeout": 0.2}, 0, "Interrupted: no image came within 0.2 s of the start."),
        ({"idle_timeout": 0.3}, 3, "Interrupted: no image for 0.3 s, 3 came before, the last with id 2."),
        ({"max_duration": 0.4}, 2, "Interrupted: the longest duration of 0.4 s is over, 2 images came."),
    ],
)
def test_an_acquisition_ends_orderly_and_says_why(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path, case: tuple[dict[str, float], int, str]
) -> None:
    limit, came, says = case
    source = running(plane, address, peer)
    path = tmp_path / "scan.h5"
    start(plane, path, 10, **limit)
    send(source, range(came))
    done = plane.acquisition("FINISHED")
    assert (done.result, done.message) == (AcquisitionResult.INTERRUPTED, says)
    assert done.report.ledger.sent == came
    if came:
        assert len(images_of(path)) == came
    assert result_of(path, "message") == says


def test_a_blocked_input_ends_no_acquisition(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    streams = {"held": {"address": address("held"), "on_slow": "block", "buffer_size": 2}}
    assert plane.open(configuration(address("in"), streams=streams, writers={"file": {}})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    start(plane, tmp_path / "scan.h5", 9, idle_timeout=0.5)
    send(source, range(9))
    plane.report(lambda r: r.streams[1].blocking)
    began = plane.report().clock
    assert plane.report(lambda r: r.clock > began + 0.8).writers[1].state == "ACQUIRING_IMAGES"
    assert frame_ids(receive(peer(zmq.PULL, connect=address("held")), 9)) == list(range(9))
    assert plane.acquisition("FINISHED").result is AcquisitionResult.COMPLETED


def test_an_armed_writer_waits_without_end(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    running(plane, address, peer)
    arm(plane, tmp_path / "scan.h5", 5, first_image_timeout=0.1, idle_timeout=0.1, max_duration=0.1)
    began = plane.report().clock
    assert plane.report(lambda r: r.clock > began + 0.4).writers[1].state == "WAITING_IMAGES"
