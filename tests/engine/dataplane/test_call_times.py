"""How long making, writing, flushing and closing takes: counted, and shown by the real data plane."""

from __future__ import annotations

import json

import pytest

from repstream.dataplane.control import CALL_BOUNDS, CallReport
from repstream.dataplane.writing.call_times import CallTimes
from repstream.service.figures import call_status


def test_durations_are_counted_by_their_bounds() -> None:
    times = CallTimes()
    for seconds in (0.0005, 0.001, 0.002, 99.0):
        times.add("write", seconds)
    report = times.report()["write"]
    assert report.counts == (2, 1, *[0] * (len(CALL_BOUNDS) - 2), 1)
    assert (report.last, report.longest, report.seconds) == (99.0, 99.0, pytest.approx(99.0035))


def test_a_call_that_fails_counts_too() -> None:
    times = CallTimes()
    with pytest.raises(OSError, match="full"), times.timed("flush"):
        raise OSError("full")
    assert sum(times.report()["flush"].counts) == 1
    assert "close" not in times.report()


def test_what_is_shown_is_cumulative() -> None:
    counts = (3, 0, 1, *[0] * (len(CALL_BOUNDS) - 3), 2)
    status = call_status(CallReport(seconds=12.0, last=0.004, longest=11.5, counts=counts))
    shown = json.loads(status.duration)
    assert (shown["count"], shown["sum"]) == (6, 12.0)
    assert (shown["le"]["0.001"], shown["le"]["0.005"], shown["le"]["10.0"], shown["le"]["+Inf"]) == (
        3,
        4,
        4,
        6,
    )
    assert (status.last, status.mean, status.longest) == (0.004, 2.0, 11.5)


def test_nothing_yet_is_nothing() -> None:
    assert call_status(CallReport()).mean == 0
