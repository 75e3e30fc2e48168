"""What a server says of its instances is read as it was meant."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream import errors
from repstream.instances.description import InstanceInfo, LogRecord, Statistics
from repstream.instances.spread import shapes
from repstream_http.compat.cam_server import shapes as said
from repstream_http.compat.cam_server import words

COUNT = st.integers(0, 2**40)
RATE = st.integers(0, 10**7).map(lambda n: n / 100)
FIGURES = st.builds(
    Statistics,
    clients=st.integers(0, 99),
    more_clients=st.none() | st.integers(0, 99),
    rx_rate=RATE,
    rx_count=COUNT,
    tx_rate=RATE,
    tx_count=COUNT,
    throughput=RATE,
    total_bytes=COUNT,
    process_id=COUNT,
    cpu=RATE,
    memory=COUNT,
    header_changes=COUNT,
    frame_shape=st.none() | st.tuples(*[st.integers(1, 9999)] * 3),
    lost=st.dictionaries(st.text(max_size=5), COUNT, max_size=2),
    skipped=st.dictionaries(st.text(max_size=5), COUNT, max_size=2),
)
INFO = st.builds(
    InstanceInfo,
    name=st.text(min_size=1, max_size=9),
    kind=st.just("camera"),
    stream_address=st.just("tcp://a:10100"),
    input_address=st.just(""),
    is_stream_active=st.booleans(),
    started=st.integers(0, 2**31).map(float),
    config=st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=2),
    camera_name=st.text(max_size=9),
    camera_geometry=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    statistics=FIGURES,
    message=st.text(max_size=9),
)


@given(INFO)
def test_an_info_comes_back(info: InstanceInfo) -> None:
    wire = msgspec.json.decode(msgspec.json.encode(said.info(info)))
    assert shapes.instance("camera", info.name, wire) == info


def test_log_lines_come_back() -> None:
    records = [LogRecord(1700000000.25, "a.b", "ERROR", "it - has ended")]
    assert shapes.log_records(said.log_lines(records)) == records
    assert shapes.log_records(["x", ["too", "short"], 1]) == []


@pytest.mark.parametrize("info", [{}, {"statistics": {"rx": "?", "frame_shape": "x", "pid": None}}])
def test_what_says_little_is_an_instance_all_the_same(info: dict[str, object]) -> None:
    found = shapes.instance("pipeline", "p", info)
    assert (found.name, found.statistics, found.started) == ("p", Statistics(), 0)


@pytest.mark.parametrize(
    "error",
    [
        errors.UnknownInstance("x", "r"),
        errors.InstanceReadOnly("x", "r"),
        errors.InstanceRuns("x", "r"),
        errors.InstanceEnded("x", "the reason"),
        errors.Refused("x", "the reason"),
    ],
)
def test_refusals_come_back_as_what_they_were(error: Exception) -> None:
    found = shapes.error("x", words.of(error))
    assert type(found) is type(error) and words.of(found) == words.of(error)
