"""The sentences that say what an acquisition waits for, and their parts."""

from __future__ import annotations

from typing import Any

import pytest

from repstream.parameters.status import SourceStatus
from repstream.parameters.writer import WriterConfig
from repstream.parameters.writer_status import AcquisitionStatus, WriterStatus
from repstream.service.waiting import (
    Now,
    Wait,
    amount_left,
    clock,
    space_warning,
    still_written,
    time_left,
    wait_of,
)
from repstream.states import AcquisitionState

NOW = 1.7e9


def writer(**fields: Any) -> Now:
    """A writer with an acquisition that takes images, and these fields of whatever of it has them."""
    now = Now(
        WriterConfig(),
        WriterStatus(gate="open"),
        AcquisitionStatus(acq_state=AcquisitionState.ACQUIRING_IMAGES, start_time=NOW - 100),
        AcquisitionStatus(),
    )
    parts = [now.config, now.writer, now.newest]
    for name, value in fields.items():
        (of,) = [place for place, part in enumerate(parts) if name in type(part).model_fields]
        parts[of] = parts[of].model_copy(update={name: value})
    since_start = NOW - (parts[2].start_time or NOW)  # type: ignore[union-attr]
    return Now(*parts, now.previous, since_start)  # type: ignore[arg-type]


def source(**fields: Any) -> SourceStatus:
    return SourceStatus(**{"connected": True, **fields})


def wait(of: Now, came: SourceStatus, *blocking: str) -> Wait:
    quiet = None if came.last_frame_time is None else NOW - came.last_frame_time
    return wait_of(of, came, blocking, NOW, quiet)


def test_where_frames_come_nothing_is_waited_for() -> None:
    assert wait(writer(num_written=3), source(last_frame_time=NOW - 1)) == Wait()


@pytest.mark.parametrize("state", ["NONE", "FINISHED", "FAILED"])
def test_without_an_acquisition_nothing_is_waited_for(state: str) -> None:
    assert wait(writer(acq_state=AcquisitionState(state)), source()) == Wait()


def test_a_silent_source_is_told_with_all_that_might_be_asked() -> None:
    last = NOW - 100
    told = wait(writer(disk_rate=210.2), source(last_frame_time=last, last_frame_id=4711))
    text = f"no frames since {clock(last)}, last id 4711, source connected, queue empty, disk 210 MB/s"
    assert told == Wait("source", last, text)


def test_a_source_that_never_sent_anything() -> None:
    told = wait(writer(acq_state=AcquisitionState.WAITING_IMAGES), source(connected=False))
    assert told == Wait("source", NOW - 100, "no frame yet, source not connected, queue empty")


def test_a_source_that_sends_everything_but_images() -> None:
    came = source(messages=7, other=7, other_kinds="image with several thresholds 7")
    text = "no frame yet, but messages without an image (image with several thresholds 7), source connected"
    assert wait(writer(acq_state=AcquisitionState.WAITING_IMAGES), came).text.startswith(text)


def test_a_source_that_is_no_match() -> None:
    came = source(connected=False, link_problem="a PUB answers at tcp://a:1, this input is PULL")
    assert (
        "source a PUB answers at tcp://a:1"
        in wait(writer(acq_state=AcquisitionState.WAITING_IMAGES), came).text
    )


def test_an_output_that_holds_up_the_input_is_named() -> None:
    told = wait(writer(), source(last_frame_time=NOW - 9, last_frame_id=5), "stream live")
    assert (told.reason, told.since) == ("stream", NOW - 9)
    assert told.text.startswith("held up by stream live; no frames since")


def test_a_disk_that_does_not_answer() -> None:
    told = wait(writer(disk_wait=4.0, queued=12, queue_use=80.0), source(last_frame_time=NOW))
    text = "12 frames in the queue (80 %), the disk has not answered for 4 s"
    assert told == Wait("disk", NOW - 4, text)


def test_a_shut_gate_and_what_is_kept() -> None:
    assert wait(writer(gate="shut"), source()).text == "armed, the gate is shut: start opens it"
    told = wait(writer(gate="shut", trigger_attribute="laser", kept=50, queued=50), source())
    assert told == Wait("trigger", None, "armed, begins when laser comes or at a start; 50 frames kept")


def test_frames_that_come_but_do_not_fit() -> None:
    told = wait(writer(offered=9, dropped_reasons="shape 9"), source(last_frame_time=NOW))
    assert told == Wait("selection", None, "frames come, but none for the file: shape 9")


def test_what_is_left_after_the_end() -> None:
    told = wait(
        writer(acq_state=AcquisitionState.FLUSHING_IMAGES, left=412, left_time=3.1, queued=412), source()
    )
    assert told == Wait("disk", None, "412 frames left, about 3 s")
    assert amount_left(412, None) == "412 frames left"
    assert amount_left(1, None) == "1 frame left"
    assert (time_left(412, 137.0), time_left(412, 0.0), time_left(0, 0.0)) == (3.0, None, 0.0)


def test_space_that_will_not_do_for_the_rest_of_the_images() -> None:
    of = AcquisitionStatus(num_written=100, num_requested=1100, file_size=500_000_000)
    assert space_warning(WriterStatus(), of, 30.0) == space_warning(WriterStatus(), of, None) == ""
    warning = "the 1000 images still to come need 5.00 GB, 4.00 GB are free"
    assert space_warning(WriterStatus(), of, 4.0) == warning


def test_space_that_is_low_whatever_is_to_come() -> None:
    none = AcquisitionStatus()
    assert space_warning(WriterStatus(), none, 10.0) == ""
    assert space_warning(WriterStatus(), none, 2.0) == "2.00 GB are free"
    assert space_warning(WriterStatus(throughput=50.0), none, 2.0) == "2.00 GB are free, full in about 40 s"


def test_a_writer_that_follows_series_waits_for_one() -> None:
    told = wait(writer(gate="shut", follow_series=True), source())
    assert (told.reason, told.text) == ("trigger", "armed, begins when the detector starts a series")


def test_an_acquisition_that_is_flushed_behind_the_newest_is_told() -> None:
    behind = AcquisitionStatus(
        acq_state=AcquisitionState.FLUSHING_IMAGES, full_file_name="/data/a.h5", left=412, left_time=3.1
    )
    told = still_written(behind)
    assert told == "/data/a.h5 is still being written, 412 frames left, about 3 s"
    behind.acq_state = AcquisitionState.FINISHED
    assert still_written(behind) == ""
