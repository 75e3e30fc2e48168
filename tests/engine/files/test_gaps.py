from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.accounting import WINDOW, GapTracker
from repstream.files.gaps import GapLog, Ranges, as_text, count, from_text, joined

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


def test_a_number_that_came_leaves_its_range() -> None:
    ranges = Ranges()
    ranges.add(3, 3)
    ranges.add(5, 4)
    assert list(ranges) == []
    ranges.add(2, 6)
    ranges.add(6, 8)
    ranges.add(9, 10)
    assert (list(ranges), len(ranges)) == ([(2, 7), (9, 9)], 2)
    assert [ranges.remove(number) for number in (1, 8, 10)] == [False] * 3
    assert [ranges.remove(number) for number in (2, 7, 4, 9)] == [True] * 4
    assert list(ranges) == [(3, 3), (5, 6)]
    assert not ranges.remove(4)


@given(RANGES, st.integers(0, 60))
def test_ranges_are_cut_as_sets_are(pairs: list[tuple[int, int]], stop: int) -> None:
    ranges, all_numbers = Ranges(), set(numbers([(first, first + more) for first, more in pairs]))
    for number in sorted(all_numbers):
        ranges.add(number, number + 1)
    assert ranges.cut(stop) == len([n for n in all_numbers if n >= stop])
    assert numbers(list(ranges)) == sorted(n for n in all_numbers if n < stop)
    ranges.add(100, 101)
    assert numbers(list(ranges))[-1] == 100


@pytest.mark.parametrize(
    ("room", "text"),
    [
        (12, "1,3-4,10-12"),
        (11, "1,3-4,10-12"),
        (10, "1,3-4,..."),
        (9, "1,3-4,..."),
        (8, "1,..."),
        (5, "1,..."),
    ],
)
def test_a_text_has_as_many_ranges_as_fit(room: int, text: str) -> None:
    ranges = [(1, 1), (3, 4), (10, 12)]
    assert as_text(ranges, room) == text
    assert from_text(text) == ranges[: text.removesuffix(",...").count(",") + 1]


def test_the_text_of_nothing_is_empty() -> None:
    assert as_text([]) == ""
    assert from_text("") == []
    with pytest.raises(ValueError):
        from_text("3,x")


@pytest.mark.parametrize(("step", "most"), [(1, 3), (10, 4)])
def test_only_the_first_are_remembered_and_all_are_counted(
    step: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GapLog, "MOST", most)
    log = GapLog(step)
    for number in range(0, 20, 2):
        log.observe(number * step)
    assert log.missing == 9
    assert log.missing_ids == [(n * step, n * step) for n in (1, 3, 5, 7)[:most]]
    for _ in range(6):
        log.observe(18 * step)
    assert (log.duplicates, log.repeated) == (6, [18 * step] * most)


def test_an_id_below_the_first_moves_the_gaps_behind_it() -> None:
    log = GapLog()
    for number in (10, 12, 15, 7):
        log.observe(number)
    assert log.missing_ids == [(8, 9), (11, 11), (13, 14)]
    stepped = GapLog(5)
    for number in (52, 62, 37):
        stepped.observe(number)
    assert stepped.missing_ids == [(42, 42), (47, 47), (57, 57)]


def test_what_turns_out_to_begin_a_numbering_is_no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    log = GapLog()
    for number in (*range(10), 5, 0, 1):
        log.observe(number)
    assert (log.duplicates, log.repeated, log.resets) == (1, [5], 1)
    monkeypatch.setattr(GapLog, "MOST", 1)
    full = GapLog()
    for number in (*range(10), 5, 0, 1):
        full.observe(number)
    assert (full.duplicates, full.repeated, full.resets) == (1, [5], 1)  # 0 was not among those remembered
