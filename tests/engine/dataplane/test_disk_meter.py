"""The speed of the disk, from when it wrote and how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.dataplane.writing.disk_meter import SPAN, DiskMeter


def write(meter: DiskMeter, begin: float, seconds: float, nbytes: int) -> None:
    meter.begin(begin)
    meter.end(begin + seconds, nbytes)


def test_pauses_do_not_count() -> None:
    meter = DiskMeter()
    assert meter.rate == 0.0
    write(meter, 0.0, 0.1, 10_000_000)
    write(meter, 60.0, 0.1, 30_000_000)
    assert meter.rate == pytest.approx(200e6)


def test_what_is_long_ago_is_forgotten() -> None:
    meter = DiskMeter()
    write(meter, 0.0, 5.0, 10_000_000)
    for second in range(10, 20):
        write(meter, second, 0.2, 20_000_000)
    assert meter.rate == pytest.approx(100e6)


def test_a_write_that_lasts_shows() -> None:
    meter = DiskMeter()
    assert meter.wait(5.0) == 0.0
    meter.begin(10.0)
    assert meter.wait(13.5) == 3.5
    meter.end(14.0, 1)
    assert meter.wait(20.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 10**9)), min_size=1))
def test_the_rate_is_that_of_the_last_writes_which_span_their_time(writes: list[tuple[float, int]]) -> None:
    meter = DiskMeter()
    for number, (seconds, nbytes) in enumerate(writes):
        write(meter, 10.0 * number, seconds, nbytes)
    rates = []
    for first in range(len(writes)):
        seconds = sum(write[0] for write in writes[first:])
        if seconds > 1e-6:
            rates.append(sum(write[1] for write in writes[first:]) / seconds)
    if sum(write[0] for write in writes[-2:]) > SPAN and rates:
        assert any(meter.rate == pytest.approx(rate, rel=1e-3, abs=1.0) for rate in rates)
