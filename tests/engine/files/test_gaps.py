from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repstream.accounting import WINDOW, GapTracker
from repstream.files.gaps import GapLog, as_text, count, from_text, joined

IDS = st.lists(st.integers(0, 40) | st.integers(0, 3000), max_size=60)


def numbers(ranges: list[tuple[int, int]]) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(IDS)
def test_the_log_counts_as_the_tracker_and_lists_what_it_counts(ids: list[int]) -> None:
    log, tracker = GapLog(), GapTracker()
    assert [log.observe(number) for number in ids] == [tracker.observe(number) for number in ids]
    assert (log.missing, log.late, log.resets) == (tracker.missing, tracker.late, tracker.resets)
    assert len(numbers(log.missing_ids)) == log.missing
    assert len(log.repeated) == log.duplicates
    assert log.series == (log.resets + 1 if ids else 0)


@given(st.permutations(range(30)), st.integers(0, 29))
def test_of_one_series_exactly_the_ids_that_did_not_come_are_missing(order: list[int], left: int) -> None:
    log = GapLog()
    ids = [0, *(number for number in order if number not in (0, left)), 30]
    for number in ids:
        log.observe(number)
    assert numbers(log.missing_ids) == sorted(set(range(31)) - set(ids))


def test_a_jump_far_ahead_takes_no_room() -> None:
    log = GapLog()
    for number in (0, 2**64 - 2 - WINDOW, 2**64 - 1):
        log.observe(number)
    assert log.missing_ids == [(1, 2**64 - 3 - WINDOW), (2**64 - 1 - WINDOW, 2**64 - 2)]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 9)), max_size=50))
def test_ranges_survive_as_text(pairs: list[tuple[int, int]]) -> None:
    ranges = [(first, first + more) for first, more in pairs]
    assert from_text(as_text(ranges)) == ranges
    short = as_text(ranges, 60)
    assert len(short) <= 60
    assert from_text(short) == ranges[: len(from_text(short))]


RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=8)


@given(RANGES, RANGES)
def test_ranges_join_as_sets_do(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    pairs = [[(first, first + more) for first, more in ranges] for ranges in (some, others)]
    found = joined(*pairs)
    assert numbers(found) == sorted({*numbers(pairs[0]), *numbers(pairs[1])})
    assert count(found) == len(numbers(found))
