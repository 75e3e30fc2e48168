"""The decimation policies: the worked examples of their table, and what holds for any frames."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.policies.decimation import Decimation, Policy, make

IDS = st.integers(0, 2**64 - 1)
COUNTS = st.integers(1, 40)
STEPS = st.lists(st.floats(0, 5), min_size=1, max_size=200)


def sent(policy: Policy, ids: range | list[int], spacing: float = 0.0) -> list[int]:
    return [frame_id for n, frame_id in enumerate(ids) if policy.decide(frame_id, n * spacing)]


def times_sent(policy: Policy, steps: list[float]) -> tuple[list[float], list[float]]:
    times = list(itertools.accumulate(steps))
    return times, [now for n, now in enumerate(times) if policy.decide(n, now)]


def test_the_names_are_those_that_configurations_use() -> None:
    assert list(Decimation) == [
        "send_every_nth",
        "send_every_sec",
        "send_every_nth_frame",
        "strides",
        "forward",
        "batch",
        "periodic",
        "modulo",
    ]


@pytest.mark.parametrize(
    ("policy", "parameters", "expected"),
    [
        ("send_every_nth", {"every_nth": 5}, [0, 5, 10, 15, 20]),
        ("send_every_nth", {"every_nth": 5, "every_nth_offset": 2}, [2, 7, 12, 17]),
        ("send_every_nth", {"every_nth": 5, "every_nth_offset": 13}, [3, 8, 13, 18]),
        ("send_every_nth_frame", {"burst": 2, "frame_block": 5}, [0, 1, 5, 6, 10, 11, 15, 16, 20]),
        ("batch", {"burst": 2, "frame_block": 5}, [0, 1, 5, 6, 10, 11, 15, 16, 20]),
        ("strides", {"stride": 3}, [0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20]),
        ("forward", {}, list(range(21))),
        ("modulo", {"modulo": 5}, [4, 9, 14, 19]),
        ("send_every_nth_frame", {"burst": 2}, [0, 1, 15, 16]),
        ("send_every_nth", {}, list(range(21))),
        ("batch", {"burst": 7, "frame_block": 5}, list(range(21))),
    ],
)
def test_worked_examples_of_ids_0_to_20(policy: str, parameters: dict, expected: list[int]) -> None:
    assert sent(make(Decimation(policy), **parameters), range(21)) == expected


@pytest.mark.parametrize(
    ("policy", "parameters", "expected"),
    [
        ("send_every_sec", {"every_sec": 1.0}, [0, 4, 8, 12, 16, 20]),
        ("send_every_sec", {"every_sec": 0.6}, [0, 3, 6, 9, 12, 15, 18]),
        ("send_every_sec", {"every_sec": 0.0}, list(range(21))),
        ("periodic", {"burst": 2, "burst_rate": 1.0}, [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20]),
        ("periodic", {"burst": 1, "burst_rate": 1.6}, [0, 3, 5, 8, 10, 13, 15, 18, 20]),
        ("periodic", {"burst": 6, "burst_rate": 1.0}, list(range(21))),
    ],
)
def test_worked_examples_of_ids_0_to_20_a_quarter_second_apart(
    policy: str, parameters: dict, expected: list[int]
) -> None:
    assert sent(make(Decimation(policy), **parameters), range(21), 0.25) == expected


BY_ID = {
    Decimation.SEND_EVERY_NTH: lambda i, a, b: i % a == 0,
    Decimation.SEND_EVERY_NTH_FRAME: lambda i, a, b: i % b < a,
    Decimation.BATCH: lambda i, a, b: i % b < a,
    Decimation.STRIDES: lambda i, a, b: (i // a) % 2 == 0,
    Decimation.FORWARD: lambda i, a, b: True,
}


@pytest.mark.parametrize("policy", BY_ID)
@given(ids=st.lists(IDS), a=COUNTS, b=COUNTS, times=st.lists(st.floats(0, 1e9)))
def test_with_any_gaps_and_restarts_the_id_alone_decides(
    policy: Decimation, ids: list[int], a: int, b: int, times: list[float]
) -> None:
    decide = make(policy, every_nth=a, burst=a, frame_block=b, stride=a).decide
    clock = itertools.chain(times, itertools.repeat(0.0))
    assert [decide(i, now) for i, now in zip(ids, clock, strict=False)] == [
        BY_ID[policy](i, a, b) for i in ids
    ]


@given(ids=st.lists(IDS, min_size=1), modulo=COUNTS)
def test_modulo_counts_what_it_received_whatever_the_ids(ids: list[int], modulo: int) -> None:
    policy = make(Decimation.MODULO, modulo=modulo)
    decisions = [policy.decide(frame_id, 0.0) for frame_id in ids]
    assert decisions == [n % modulo == 0 for n in range(1, len(ids) + 1)]


@given(steps=STEPS, every_sec=st.floats(0, 20))
def test_send_every_sec_keeps_its_distance_and_never_stalls(steps: list[float], every_sec: float) -> None:
    times, taken = times_sent(make(Decimation.SEND_EVERY_SEC, every_sec=every_sec), steps)
    assert taken[0] == times[0]
    assert all(later - earlier >= every_sec for earlier, later in itertools.pairwise(taken))
    waiting = {now: max(t for t in taken if t <= now) for now in times}
    assert all(now - last < every_sec for now, last in waiting.items() if now != last)


@given(
    frame_rate=st.integers(1, 10_000),
    burst_rate=st.fractions(Fraction(1, 10), 50, max_denominator=30),
    burst=st.integers(1, 8),
)
def test_periodic_keeps_the_mean_rate(frame_rate: int, burst_rate: Fraction, burst: int) -> None:
    policy = make(Decimation.PERIODIC, burst=burst, burst_rate=float(burst_rate))
    frames = 3000
    count = sum(policy.decide(n, 1000.0 + n / frame_rate) for n in range(frames))
    wanted = min(1 + int((frames - 1) * burst_rate / frame_rate), frames) * burst
    if burst_rate * burst <= frame_rate:
        # Rounding of the clock may move the last planned burst beyond the end.
        assert wanted - 2 * burst <= count <= wanted + burst
    else:
        assert count == frames


@given(jitter=st.lists(st.floats(-0.4, 0.4), min_size=50, max_size=200))
def test_periodic_at_the_rate_of_the_frames_keeps_up_in_spite_of_jitter(jitter: list[float]) -> None:
    policy = make(Decimation.PERIODIC, burst=1, burst_rate=17.0)
    times = [(n + shift) / 17 for n, shift in enumerate(jitter)]
    assert sum(policy.decide(n, now) for n, now in enumerate(times)) >= len(times) - 2


@given(steps=STEPS, burst=st.integers(1, 5), burst_rate=st.floats(0.1, 10))
def test_periodic_sends_whole_bursts_and_at_most_one_an_instant(
    steps: list[float], burst: int, burst_rate: float
) -> None:
    times = list(itertools.accumulate(steps))
    policy = make(Decimation.PERIODIC, burst=burst, burst_rate=burst_rate)
    runs = [
        (taken, len(list(group))) for taken, group in itertools.groupby(policy.decide(0, t) for t in times)
    ]
    assert all(length % burst == 0 for taken, length in runs[:-1] if taken)
    sent = sum(length for taken, length in runs if taken)
    planned = int((times[-1] - times[0]) * burst_rate + 1e-9) + 1
    assert sent <= planned * burst


def test_periodic_does_not_make_up_for_a_pause() -> None:
    policy = make(Decimation.PERIODIC, burst=1, burst_rate=1.0)
    times = [0.0, 100.0, 100.1, 100.2, 101.0, 101.1, 102.0]
    assert [now for now in times if policy.decide(0, now)] == [0.0, 100.0, 101.0, 102.0]


@pytest.mark.parametrize(
    "policy", [p for p in Decimation if p not in (Decimation.SEND_EVERY_SEC, Decimation.PERIODIC)]
)
@given(start=IDS, a=COUNTS, b=COUNTS)
def test_a_numbering_that_begins_anew_stalls_nothing(policy: Decimation, start: int, a: int, b: int) -> None:
    decide = make(policy, every_nth=a, burst=a, frame_block=b, stride=a, modulo=a).decide
    decide(start, 0.0)
    assert any(decide(frame_id, 0.0) for frame_id in range(max(a, b) + 1))


@pytest.mark.parametrize(
    ("policy", "parameters"),
    [
        ("send_every_nth", {"every_nth": 0}),
        ("send_every_sec", {"every_sec": -0.1}),
        ("send_every_sec", {"every_sec": float("nan")}),
        ("send_every_nth_frame", {"burst": 0}),
        ("batch", {"frame_block": 0}),
        ("strides", {"stride": -1}),
        ("periodic", {"burst_rate": 0.0}),
        ("periodic", {"burst": 0}),
        ("modulo", {"modulo": 0}),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(policy: str, parameters: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        make(Decimation(policy), **parameters)


@pytest.mark.parametrize(
    ("times", "sent"),
    [
        (
            [0.0, 2.9, 2.95, 2.97],
            [True, True, True, False],
        ),  # both late
        ([0.0, 3.0, 3.1, 4.0], [True, True, False, True]),  # the second is left out
        ([0.0, 3.5, 3.6, 4.0], [True, True, False, True]),
    ],
)
def test_a_periodic_burst_may_be_late_by_less_than_two_periods(times: list[float], sent: list[bool]) -> None:
    policy = make(Decimation.PERIODIC, burst=1, burst_rate=1.0)
    assert [policy.decide(0, now) for now in times] == sent


def test_what_is_not_given_is_one() -> None:
    assert make(Decimation.STRIDES) == make(Decimation.STRIDES, stride=1)
    assert make(Decimation.PERIODIC) == make(Decimation.PERIODIC, burst=1, burst_rate=1.0)
    assert make(Decimation.MODULO) == make(Decimation.MODULO, modulo=1)
    assert make(Decimation.SEND_EVERY_NTH) == make(Decimation.SEND_EVERY_NTH, every_nth=1)
    assert make(Decimation.SEND_EVERY_SEC) == make(Decimation.SEND_EVERY_SEC, every_sec=1.0)


def test_periodic_counts_from_the_first_frame() -> None:
    policy = make(Decimation.PERIODIC, burst=1, burst_rate=1.0)
    times = [10.25, 11.0, 11.24, 11.25, 12.24, 12.25]
    assert [now for now in times if policy.decide(0, now)] == [10.25, 11.25, 12.25]


@given(ids=st.lists(IDS, max_size=50), outputs=st.integers(1, 40))
def test_outputs_with_offsets_share_the_frames_each_to_one(ids: list[int], outputs: int) -> None:
    shares = [make(Decimation.SEND_EVERY_NTH, every_nth=outputs, every_nth_offset=k) for k in range(outputs)]
    assert [[k for k, share in enumerate(shares) if share.decide(i, 0.0)] for i in ids] == [
        [i % outputs] for i in ids
    ]
