"""Several receivers judged together give what one receiver gives that gets all frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from repstream.accounting import GapTracker, IdRun, MergedTracker, RunLog, Verdict
from repstream.accounting.gap_tracker import WINDOW
from repstream.files.gaps import GapLog, count

RECEIVERS = st.integers(2, 5)


def counts(gaps: GapTracker) -> dict[str, int]:
    return {name: getattr(gaps, name) for name in ("missing", "duplicates", "late", "resets", "series")}


def alone(ids: Sequence[int], step: int = 1) -> dict[str, int]:
    """The counts of one receiver that gets all of these."""
    gaps = GapTracker(step)
    for frame_id in ids:
        gaps.observe(frame_id)
    return counts(gaps)


class Shared:
    """Receivers that share a stream, report now and then, and are judged at each report."""

    def __init__(self, receivers: int, step: int = 1) -> None:
        self.logs = [RunLog() for _ in range(receivers)]
        self.gaps = GapLog(step)
        self.merged = MergedTracker(receivers, self.gaps)

    def report(self, receiver: int) -> None:
        self.merged.add(receiver, self.logs[receiver].take())
        self.merged.judge()

    def end(self) -> dict[str, int]:
        for receiver in range(len(self.logs)):
            self.report(receiver)
        self.merged.judge(silent=range(len(self.logs)))
        assert self.merged.pending == 0
        assert count(self.gaps.missing_ids) == self.gaps.missing
        return counts(self.gaps)


@st.composite
def one_numbering(draw: st.DrawFn) -> list[int]:
    """Ids with gaps, some of which come twice, one soon after the other."""
    first, length = draw(st.sampled_from([0, 1, 5000, 2**64 - 1 - 300])), draw(st.integers(1, 200))
    lost = draw(st.sets(st.integers(1, length)))
    again = draw(st.sets(st.integers(1, length)))
    ids = [first + number for number in range(length) if number not in lost]
    return [frame_id for frame_id in ids for _ in range(1 + (frame_id - first in again))]


@given(RECEIVERS, one_numbering(), st.data())
def test_one_numbering_whoever_gets_which_frame_and_reports_when(
    receivers: int, ids: list[int], data: st.DataObject
) -> None:
    shared = Shared(receivers)
    whose = data.draw(st.lists(st.integers(0, receivers - 1), min_size=len(ids), max_size=len(ids)))
    reports = data.draw(
        st.lists(st.sets(st.integers(0, receivers - 1)), min_size=len(ids), max_size=len(ids))
    )
    for frame_id, receiver, reporting in zip(ids, whose, reports, strict=True):
        shared.logs[receiver].observe(frame_id)
        for number in reporting:
            shared.report(number)
    assert shared.end() == alone(ids)


@given(
    RECEIVERS,
    st.integers(1, 3),
    st.lists(
        st.tuples(st.integers(20, 60), st.sets(st.integers(12, 59), max_size=9)), min_size=1, max_size=4
    ),
    st.data(),
)
def test_numberings_that_begin_anew_at_once_and_are_shared_in_turn(
    receivers: int, step: int, numberings: list[tuple[int, set[int]]], data: st.DataObject
) -> None:
    """Each numbering begins with whichever receiver is next; a report may come within any of them."""
    shared = Shared(receivers, step)
    ids = [number * step for length, lost in numberings for number in range(length) if number not in lost]
    every = data.draw(st.lists(st.integers(1, 50), min_size=receivers, max_size=receivers))
    for number, frame_id in enumerate(ids):
        shared.logs[number % receivers].observe(frame_id)
        for receiver, period in enumerate(every):
            if number % period == 0:
                shared.report(receiver)
    assert shared.end() == alone(ids, step)


@given(RECEIVERS, st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3000), st.booleans()), max_size=200))
def test_whatever_comes_is_judged_once_and_in_each_receivers_order(
    receivers: int, came: list[tuple[int, int, bool]]
) -> None:
    shared = Shared(receivers)
    shared.merged.gaps = noted = Noted()
    own: dict[int, list[int]] = {receiver: [] for receiver in range(receivers)}
    for number, frame_id, reports in came:
        receiver = number % receivers
        shared.logs[receiver].observe(frame_id)
        own[receiver].append(frame_id)
        if reports:
            shared.report(receiver)
    shared.end()
    assert Counter(noted.ids) == Counter(frame_id for ids in own.values() for frame_id in ids)


class Noted(GapTracker):
    """Also notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[int] = []

    def observe(self, frame_id: int) -> Verdict:
        self.ids.append(frame_id)
        return super().observe(frame_id)

    def observe_old(self, ids: range) -> None:
        self.ids += ids
        super().observe_old(ids)

    def observe_earlier(self, ids: range) -> None:
        self.ids += ids
        super().observe_earlier(ids)

    def observe_run(self, count: int) -> None:
        self.ids += range(self._next, self._next + count)
        super().observe_run(count)


@given(st.lists(st.integers(0, 40)), st.sets(st.integers(0, 100)))
def test_runs_hold_what_was_noted_in_its_order(ids: list[int], taken_after: set[int]) -> None:
    log = RunLog()
    runs: list[IdRun] = []
    seen: list[int] = []
    for number, frame_id in enumerate(ids):
        verdict = log.observe(frame_id)
        assert (verdict is Verdict.DUPLICATE) == (frame_id in seen)
        assert (verdict is Verdict.NEW) == (not seen or frame_id > max(seen))
        seen.append(frame_id)
        if number in taken_after:
            runs += log.take()
    runs += log.take()
    assert [frame_id for run in runs for frame_id in range(run.first, run.last + 1, run.step)] == ids


def test_frames_shared_in_turn_are_one_run_a_report() -> None:
    log = RunLog()
    for frame_id in range(1, 2000, 2):
        log.observe(frame_id)
    assert log.take() == (IdRun(1, 2, 1000),)
    for frame_id in range(2001, 2101, 2):
        log.observe(frame_id)
    assert log.take() == (IdRun(2001, 2, 50),)


def test_what_a_slower_receiver_may_still_bring_is_not_missing() -> None:
    shared = Shared(2)
    for frame_id in range(0, 10_000, 2):
        shared.logs[0].observe(frame_id)
    shared.report(0)
    assert (shared.merged.gaps.missing, shared.merged.pending) == (0, 5000)
    for frame_id in range(1, 10_000, 2):
        shared.logs[1].observe(frame_id)
    assert shared.end() == alone(range(10_000))


def test_ids_of_a_receiver_that_is_silent_are_missing_and_late_when_they_come() -> None:
    shared = Shared(2)
    for frame_id in range(0, 200, 2):
        shared.logs[0].observe(frame_id)
    shared.report(0)
    shared.merged.judge(silent={1})
    assert shared.merged.gaps.missing == 99
    shared.logs[1].observe(101)
    assert shared.end() == {"missing": 98, "late": 1, "duplicates": 0, "resets": 0, "series": 1}


@settings(max_examples=40)
@given(RECEIVERS, st.integers(1, 3), st.data())
def test_what_a_connection_held_back_for_long_is_late_and_begins_no_numbering(
    receivers: int, step: int, data: st.DataObject
) -> None:
    """The last receiver, which has had some, gets others only when the rest of them is far beyond."""
    shared = Shared(receivers, step)
    held, others = shared.logs[-1], shared.logs[:-1]
    length = data.draw(st.integers(WINDOW + 500, 3 * WINDOW), "length")
    stalls, returns = sorted(data.draw(st.tuples(*[st.integers(200, length - 1)] * 2), "while"))
    lost = data.draw(st.sets(st.integers(0, length - 1), max_size=20), "lost")
    waiting: list[int] = []
    for number in range(length):
        if number == returns:
            shared.merged.judge(silent={receivers - 1})
            for frame_id in waiting:
                held.observe(frame_id)
            shared.report(receivers - 1)
            waiting.clear()
        whose = number % receivers
        if number in lost:
            continue
        if whose < len(others):
            others[whose].observe(number * step)
        elif stalls <= number < returns:
            waiting.append(number * step)
        else:
            held.observe(number * step)
        if number % 100 == 99:
            for receiver in range(receivers):
                shared.report(receiver)
            shared.merged.judge(silent={receivers - 1} if stalls <= number < returns else ())
    found, expected = shared.end(), alone([n * step for n in range(length) if n not in lost], step)
    assert found.pop("late") <= length // receivers + 1 and expected.pop("late") == 0
    assert found == expected


def test_frames_of_a_numbering_that_is_over_are_late_in_it() -> None:
    shared = Shared(2)
    for frame_id in range(5000):
        if frame_id % 2 == 0 or frame_id < 100:
            shared.logs[frame_id % 2].observe(frame_id)
    shared.report(0)
    shared.report(1)
    shared.merged.judge(silent={1})
    for frame_id in range(0, 3000, 2):  # begins anew, and only one receiver gets something
        shared.logs[0].observe(frame_id)
    shared.report(0)
    shared.merged.judge(silent={1})
    assert shared.merged.gaps.resets == 1
    for frame_id in [*range(101, 5000, 2), *range(1, 3001, 2)]:  # what was held back
        shared.logs[1].observe(frame_id)
    shared.report(1)
    for frame_id in range(3000, 3100):
        shared.logs[(frame_id + 1) % 2].observe(frame_id)
    found = shared.end()
    assert (found["resets"], found["series"], found["missing"], found["duplicates"]) == (1, 2, 0, 0)


def test_a_numbering_that_began_anew_while_one_receiver_got_nothing_is_one_reset() -> None:
    shared = Shared(2)
    for frame_id in range(100):
        shared.logs[frame_id % 2].observe(frame_id)
    shared.report(0)
    shared.report(1)
    for frame_id in range(100):  # nobody else is there
        shared.logs[0].observe(frame_id)
    shared.report(0)
    shared.merged.judge(silent={1})
    for frame_id in range(100, 200):
        shared.logs[frame_id % 2].observe(frame_id)
    assert shared.end() == alone([*range(100), *range(200)])
