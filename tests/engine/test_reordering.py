"""Frames of several receivers in one order: whoever brings which when, as far as the limits allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.accounting import IdRun, Kind, Reordering
from repstream.accounting.own_numberings import OwnNumberings

NO_LIMIT = 10**9


def reordering(lanes: int, *, step: int = 1, patience: float = 1.0, most: int = NO_LIMIT) -> Reordering[Any]:
    return Reordering(range(lanes), step, patience=patience, most=most, most_bytes=NO_LIMIT)


def taken(order: Reordering[Any], now: float) -> list[Any]:
    found = []
    while (item := order.take(now)) is not None:
        found.append(item)
    return found


@st.composite
def shared_out(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """Rising ids with gaps, each brought by one lane, in any interleaving that keeps each lane's order."""
    lanes = draw(st.integers(2, 5))
    first = draw(st.sampled_from([0, 1, 5000, 2**64 - 400]))
    ids = sorted(first + n for n in draw(st.sets(st.integers(0, 300), max_size=60)))
    queues: list[list[int]] = [[] for _ in range(lanes)]
    for frame_id in ids:
        queues[draw(st.integers(0, lanes - 1))].append(frame_id)
    arrivals = []
    while any(queues):
        lane = draw(st.sampled_from([lane for lane, queue in enumerate(queues) if queue]))
        arrivals.append((lane, queues[lane].pop(0)))
    return lanes, arrivals


@given(shared_out())
def test_any_interleaving_comes_out_in_order(shared: tuple[int, list[tuple[int, int]]]) -> None:
    lanes, arrivals = shared
    order, found = reordering(lanes), []
    for lane, frame_id in arrivals:
        order.add(lane, Kind.FRAME, frame_id, frame_id, nbytes=1, now=0.0)
        found += taken(order, 0.0)
    order.finish()
    found += taken(order, 0.0)
    assert found == sorted(frame_id for _, frame_id in arrivals)
    assert (order.late, len(order)) == (0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.floats(0, 0.5)), max_size=80),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_whatever_comes_the_limits_hold_and_nothing_is_unaccounted_for(
    events: list[tuple[int, int, float]], most: int, patience: float
) -> None:
    order, now, out = reordering(4, patience=patience, most=most), 0.0, 0
    for lane, frame_id, pause in events:
        now += pause
        out += len(taken(order, now))
        order.add(lane, Kind.FRAME, frame_id, (now, frame_id), nbytes=1, now=now)
        out += len(taken(order, now))
        # Beyond the limit only what waits to be known as a repeat, one for each lane.
        assert len(order) <= most + 4
        assert order.due(now) > 0
    assert out + order.late + len(order) == len(events)
    waited = order.due(now)
    assert waited <= patience + 1e-9 or len(order) == 0
    # A frame that may be a repeat is known for one after that time, and waits for its turn then.
    out += len(taken(order, now + 1.001 * patience))
    out += len(taken(order, now + 2.01 * patience))
    assert (out + order.late, len(order)) == (len(events), 0)


@given(st.integers(2, 4), st.lists(st.integers(8, 40), min_size=2, max_size=5), st.data())
def test_a_numbering_that_begins_anew_follows_the_one_before(
    lanes: int, lengths: Sequence[int], data: st.DataObject
) -> None:
    queues: list[list[tuple[int, int]]] = [[] for _ in range(lanes)]
    for series, length in enumerate(lengths):
        for frame_id in range(length):
            queues[frame_id % lanes].append((series, frame_id))
    order, found = reordering(lanes), []
    while any(queues):
        lane = data.draw(st.sampled_from([lane for lane, queue in enumerate(queues) if queue]))
        item = queues[lane].pop(0)
        order.add(lane, Kind.FRAME, item[1], item, nbytes=1, now=0.0)
        found += taken(order, 0.0)
    order.finish()
    found += taken(order, 0.0)
    assert found == [(series, n) for series, length in enumerate(lengths) for n in range(length)]
    assert order.late == 0


def test_what_follows_the_last_one_does_not_wait() -> None:
    order = reordering(2)
    order.add(1, Kind.BEGIN, 0, "begin", nbytes=1, now=0.0)
    order.add(0, Kind.FRAME, 0, 0, nbytes=1, now=0.0)
    assert taken(order, 0.0) == ["begin", 0]
    for frame_id in range(1, 5):  # the other lane brings nothing more
        order.add(0, Kind.FRAME, frame_id, frame_id, nbytes=1, now=0.0)
        assert taken(order, 0.0) == [frame_id]


def test_a_gap_waits_for_the_others_and_no_longer_than_that() -> None:
    order = reordering(2)
    for lane, frame_id in ((0, 0), (1, 1), (0, 5)):
        order.add(lane, Kind.FRAME, frame_id, frame_id, nbytes=1, now=0.0)
    assert taken(order, 0.5) == [0, 1]
    order.add(1, Kind.FRAME, 3, 3, nbytes=1, now=0.5)
    assert taken(order, 0.5) == [3]
    assert order.due(0.5) == pytest.approx(0.5)
    assert taken(order, 1.0) == [5]
    order.add(1, Kind.FRAME, 4, 4, nbytes=1, now=1.1)
    assert (taken(order, 1.1), order.late) == ([], 1)


def test_a_lane_that_brings_nothing_is_not_awaited_for_ever_but_after_a_pause_it_is() -> None:
    order = reordering(2)
    steady = range(0, 100, 5)
    for frame_id in steady:
        order.add(0, Kind.FRAME, frame_id, frame_id, nbytes=1, now=frame_id / 100)
    assert taken(order, 0.9) == []
    order.add(0, Kind.FRAME, 120, 120, nbytes=1, now=1.0)
    assert taken(order, 1.0) == [*steady, 120]
    order.add(1, Kind.FRAME, 130, 130, nbytes=1, now=1.0)
    order.add(0, Kind.FRAME, 150, 150, nbytes=1, now=100.0)  # nothing came to either for a while
    assert taken(order, 100.0) == [130]
    order.add(1, Kind.FRAME, 140, 140, nbytes=1, now=100.1)
    assert taken(order, 100.1) == [140]


@given(
    st.integers(2, 4),
    st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.08, 0.5, 3.0]), st.floats(0, 0.25)), max_size=60),
)
def test_who_is_late_by_a_quarter_of_the_patience_loses_nothing(
    lanes: int, frames: list[tuple[float, float]]
) -> None:
    order, found = reordering(lanes), []
    sent, behind = 0.0, [0.0] * lanes
    arrivals = []
    for frame_id, (pause, delay) in enumerate(frames):
        sent += pause
        lane = frame_id % lanes
        behind[lane] = max(behind[lane], sent + delay)  # each lane keeps its order
        arrivals.append((behind[lane], frame_id, lane))
    for now, frame_id, lane in sorted(arrivals):
        order.add(lane, Kind.FRAME, frame_id, frame_id, nbytes=1, now=now)
        found += taken(order, now)
    order.finish()
    found += taken(order, sent + 9)
    assert (found, order.late) == ([*range(len(frames))], 0)


def test_bytes_are_bounded_too() -> None:
    order: Reordering[int] = Reordering(range(2), 1, patience=9.0, most=100, most_bytes=250)
    for frame_id in (2, 4, 6):
        order.add(0, Kind.FRAME, frame_id, frame_id, nbytes=100, now=0.0)
    assert taken(order, 0.0) == [2]


def test_one_frame_with_a_wild_id_costs_no_more_than_another() -> None:
    order = reordering(2)
    brought = [(0, 0), (1, 1), (0, 2**63), *((n % 2, n) for n in range(3, 400))]
    found = []
    for number, (lane, frame_id) in enumerate(brought):
        now = number / 50
        order.add(lane, Kind.FRAME, frame_id, frame_id, nbytes=1, now=now)
        found += taken(order, now)
    order.finish()
    found += taken(order, 9.0)
    assert order.late <= 1
    assert len(found) + order.late == len(brought)
    assert found[-50:] == list(range(350, 400))  # and all is in order again


def test_a_series_begins_before_its_frames_and_ends_behind_them() -> None:
    order = reordering(2)
    for lane, kind, frame_id, item in (
        (0, Kind.BEGIN, 0, "begin"),
        (1, Kind.FRAME, 1, 1),
        (1, Kind.FRAME, 3, 3),
        (0, Kind.FRAME, 0, 0),
        (1, Kind.END, 0, "end"),
        (0, Kind.FRAME, 2, 2),
        (0, Kind.OTHER, 0, "other"),
        (1, Kind.BEGIN, 0, "again"),
        (0, Kind.FRAME, 0, 0),
        (1, Kind.FRAME, 1, 1),
        (0, Kind.FRAME, 2, 2),
        (1, Kind.FRAME, 3, 3),
    ):
        order.add(lane, kind, frame_id, item, nbytes=1, now=0.0)
    assert taken(order, 0.0) == ["begin", 0, 1, 2, "other", 3, "end", "again", 0, 1, 2, 3]


def test_the_first_frame_of_all_waits_for_a_beginning_in_another_lane() -> None:
    order = reordering(2)
    order.add(0, Kind.FRAME, 0, 0, nbytes=1, now=0.0)
    assert order.take(0.0) is None
    order.add(1, Kind.BEGIN, 0, "begin", nbytes=1, now=0.0)
    assert taken(order, 0.0) == ["begin", 0]


def test_each_beginning_that_is_said_is_a_numbering_of_its_own() -> None:
    own = OwnNumberings(1, 2)
    numbers = []
    for _ in range(3):
        numbers += [number for number, _ in own.place(IdRun(5, 1, 1))]
        own.begin()
    assert (numbers, own.number) == ([0, 1, 2], 3)


def test_what_comes_before_all_frames_stays_there() -> None:
    order = reordering(2)
    order.add(0, Kind.OTHER, 0, "other", nbytes=1, now=0.0)
    order.add(1, Kind.FRAME, 0, 0, nbytes=1, now=0.0)
    order.finish()
    assert taken(order, 0.0) == ["other", 0]
