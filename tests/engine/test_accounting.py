"""Gaps against a plain set of all ids seen, and ledgers whose sums hold after every event."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repstream.accounting import (
    SETTLING,
    WINDOW,
    GapTracker,
    InputLedger,
    InputSnapshot,
    OutputLedger,
    OutputSnapshot,
    Verdict,
)
from repstream.files.gaps import GapLog

NEW, DUPLICATE, LATE, RESET = Verdict.NEW, Verdict.DUPLICATE, Verdict.LATE, Verdict.RESET
AGAIN, ANEW = Verdict.AGAIN, Verdict.ANEW
LAST = 2**64 - 1


class SetOfIds:
    """The reference: every id of a numbering in a set, everything counted from it anew."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self.ids: set[int] = set()
        self.missing_before = 0
        self.run: range | None = None  # may turn out to begin a numbering
        self.is_run_repeated = False
        self.verdicts: list[Verdict] = []
        self.wrongly_late = self.wrongly_repeated = 0

    @property
    def missing(self) -> int:
        if not self.ids:
            return 0
        span = (max(self.ids) - min(self.ids)) // self.step + 1
        return self.missing_before + span - len(self.ids)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """missing, duplicates, late, resets"""
        found = {verdict: self.verdicts.count(verdict) for verdict in Verdict}
        return (
            self.missing,
            found[DUPLICATE] + found[AGAIN] - self.wrongly_repeated,
            found[LATE] - self.wrongly_late,
            found[RESET] + found[ANEW],
        )

    def observe(self, frame_id: int) -> Verdict:
        self.verdicts.append(self._verdict(frame_id))
        return self.verdicts[-1]

    def _verdict(self, frame_id: int) -> Verdict:
        step, run, self.run = self.step, self.run, None
        goes_on = run is not None and frame_id == run.stop
        if not self.ids:
            self.ids = {frame_id}
            return NEW
        first, last = min(self.ids), max(self.ids)
        fits = (frame_id - first) % step == 0
        in_window = fits and frame_id > last - WINDOW * step and frame_id >= first
        if run and goes_on and (self.is_run_repeated or (in_window and frame_id in self.ids)):
            if self.is_run_repeated:
                self.wrongly_repeated += 1
            else:
                self.wrongly_late += len(run)
            self.missing_before = self.missing
            self.ids = {*run, frame_id}
            return ANEW
        if fits and frame_id > last:
            self.ids.add(frame_id)
            return NEW
        just_before = 0 < first - frame_id <= SETTLING * step and last - first < SETTLING * step
        if fits and just_before:
            self.ids.add(frame_id)
            self.run, self.is_run_repeated = range(frame_id, frame_id + step, step), False
            return LATE
        if not in_window:
            self.missing_before, self.ids = self.missing, {frame_id}
            return RESET
        if frame_id not in self.ids:
            self.ids.add(frame_id)
            if run and goes_on:
                self.run = range(run.start, frame_id + step, step)
            return LATE
        if frame_id == first and last > first:
            self.run, self.is_run_repeated = range(frame_id, frame_id + step, step), True
            return AGAIN
        return DUPLICATE


STEPS = st.one_of(
    st.just(1),
    st.integers(-5, 5),
    st.integers(-1100, 1100),
    st.sampled_from([-1025, -1024, -1023, -1022, 1022, 1023, 1024, 1025, 2048, 5000, 2**40, -(2**40), 2**63]),
)


@st.composite
def sequences(draw: st.DrawFn) -> list[int]:
    """Ids of a source that counts up, with gaps, repeats, late ones and restarts."""
    current = draw(st.integers(0, 3000) | st.integers(0, LAST))
    ids = [current]
    for step in draw(st.lists(STEPS, max_size=80)):
        current = min(max(current + step, 0), LAST)
        ids.append(current)
        if draw(st.integers(0, 9)) == 0:  # the detector is triggered again
            first = draw(st.sampled_from(ids))
            current = first + draw(st.integers(-1, 1))
            ids += [first, max(0, current)]
            current = ids[-1]
        if draw(st.booleans()):
            run = range(current + 1, min(current + draw(st.integers(1, 60)), LAST))
            ids += run
            current = ids[-1]
    return ids


@given(sequences())
@example([*range(0, 3000, 2), *range(2999, 1900, -2)])
@example([0, 1024, 1026, 1028, 1030, 7, 8, 6])
@example([5, 5 + WINDOW, 6, 5])
@example([0, LAST, 0, LAST])
@example([3, 4, 0, 1, 2, 3, 4, 5])
@example([0, 1, 3, 0, 1, 2, 0, 2, 1, 0, 0, 1])
def test_verdicts_and_counts_are_those_of_a_set_of_all_ids(ids: list[int]) -> None:
    tracker, reference = GapTracker(), SetOfIds()
    for frame_id in ids:
        verdict = reference.observe(frame_id)
        assert tracker.observe(frame_id) is verdict
        missing, duplicates, late, resets = reference.counts
        assert tracker.missing == min(missing, LAST)
        assert (tracker.duplicates, tracker.late, tracker.resets) == (duplicates, late, resets)
        assert tracker.series == resets + 1


@given(sequences(), st.sampled_from([2, 3, 10, 1000]), st.lists(st.integers(0, 80), max_size=3))
def test_with_a_step_too_and_off_it_begins_a_series(ids: list[int], step: int, off: list[int]) -> None:
    tracker, log, reference = GapTracker(step), GapLog(step), SetOfIds(step)
    stepped = [min(i * step, LAST // step * step) + (n in off) for n, i in enumerate(ids)]
    for frame_id in stepped:
        verdict = reference.observe(frame_id)
        assert (tracker.observe(frame_id), log.observe(frame_id)) == (verdict, verdict)
        assert tracker.missing == log.missing == min(reference.missing, LAST)
    gone = [first for first, last in log.missing_ids if first == last]
    assert gone == [first for first, _ in log.missing_ids]
    if not tracker.resets:
        expected = range(min(stepped), max(stepped), step) if reference.missing < 1000 else ()
        assert not expected or gone == [i for i in expected if i not in reference.ids]


def test_a_step_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="step = 0: must be 1 or more"):
        GapTracker(0)


@pytest.mark.parametrize(
    ("ids", "verdicts", "missing"),
    [
        ([7, 8, 9], [NEW, NEW, NEW], 0),
        ([7, 10, 11], [NEW, NEW, NEW], 2),
        ([7, 10, 8, 8, 9], [NEW, NEW, LATE, DUPLICATE, LATE], 0),
        ([7, 7], [NEW, DUPLICATE], 0),
        ([7, 6], [NEW, LATE], 0),
        ([1, 0, 2], [NEW, LATE, NEW], 0),
        ([2, 0, 1, 3], [NEW, LATE, LATE, NEW], 0),
        ([3, 0, 4], [NEW, LATE, NEW], 2),
        ([7 + SETTLING + 1, 7], [NEW, RESET], 0),
        ([0, 1, 0, 1, 2], [NEW, NEW, AGAIN, ANEW, NEW], 0),
        ([0, 1, 2, 0, 3], [NEW, NEW, NEW, AGAIN, NEW], 0),
        ([0, 1, 2, 0, 3, 4, 5], [NEW, NEW, NEW, AGAIN, NEW, NEW, NEW], 0),
        ([0, 1, 2, 0, 0, 1], [NEW, NEW, NEW, AGAIN, AGAIN, ANEW], 0),
        ([0, 0, 0, 1], [NEW, DUPLICATE, DUPLICATE, NEW], 0),
        ([0, 2, 0, 1], [NEW, NEW, AGAIN, ANEW], 1),
        ([3, 4, 0, 1, 2, 3], [NEW, NEW, LATE, LATE, LATE, ANEW], 0),
        ([0, 1, 2, 1, 2], [NEW, NEW, NEW, DUPLICATE, DUPLICATE], 0),
        ([0, 1024, 1], [NEW, NEW, LATE], 1022),
        ([0, 1024, 0], [NEW, NEW, RESET], 1023),
        ([0, 1023, 0], [NEW, NEW, AGAIN], 1022),
        ([LAST, 0, 1], [NEW, RESET, NEW], 0),
    ],
)
def test_worked_examples(ids: list[int], verdicts: list[Verdict], missing: int) -> None:
    tracker = GapTracker()
    assert [tracker.observe(frame_id) for frame_id in ids] == verdicts
    assert tracker.missing == missing


@pytest.mark.parametrize(
    ("ids", "verdicts", "missing"),
    [
        ([3, 23, 13], [NEW, NEW, LATE], 0),
        ([3, 33], [NEW, NEW], 2),
        ([3, 17], [NEW, RESET], 0),
        ([13, 3], [NEW, LATE], 0),
        ([13, 7], [NEW, RESET], 0),
        ([13, 33, 27], [NEW, NEW, RESET], 1),
    ],
)
def test_worked_examples_with_ids_10_apart(ids: list[int], verdicts: list[Verdict], missing: int) -> None:
    tracker = GapTracker(10)
    assert [tracker.observe(frame_id) for frame_id in ids] == verdicts
    assert tracker.missing == missing


@pytest.mark.parametrize("burst", [2, 5, 500])
@pytest.mark.parametrize("seen_before", [0, 1, 4])
def test_a_detector_that_is_triggered_again_repeats_nothing(burst: int, seen_before: int) -> None:
    tracker, log = GapTracker(), GapLog()
    for frame_id in [*range(burst - min(seen_before, burst), burst), *list(range(burst)) * 3]:
        assert tracker.observe(frame_id) is log.observe(frame_id)
    for counts in (tracker, log):
        assert (counts.missing, counts.duplicates, counts.late) == (0, 0, 0)
    assert (log.missing_ids, log.repeated) == ([], [])
    assert tracker.series == log.series == 3 + (seen_before > 0)


@pytest.mark.parametrize("kind", [GapTracker, GapLog])
@pytest.mark.parametrize(
    ("ids", "missing"),
    [
        ([2, 3, 4], [0, 1]),
        ([0, 1, 2], [3, 4]),
        ([2], [0, 1, 3, 4]),
        ([], [0, 1, 2, 3, 4]),
        ([2, 0, 1, 4], [3]),
    ],
)
def test_of_a_series_that_states_its_number_all_that_did_not_come_are_missing(
    kind: type[GapTracker], ids: list[int], missing: list[int]
) -> None:
    tracker = kind()
    for turn in range(1, 4):
        tracker.begin_series(5)
        for frame_id in ids:
            tracker.observe(frame_id)
        if turn != 2:  # the next start is an end, too
            tracker.end_series()
        tracker.end_series()
    assert (tracker.missing, tracker.series, tracker.duplicates) == (3 * len(missing), 3, 0)
    if isinstance(tracker, GapLog):
        gone = [i for first, last in tracker.missing_ids for i in range(first, last + 1)]
        assert gone == 3 * missing
    assert [tracker.observe(frame_id) for frame_id in missing] == [LATE] * len(missing)
    assert tracker.missing == 2 * len(missing)


def test_series_of_one_image_each_repeat_nothing() -> None:
    tracker = GapTracker()
    for _ in range(5):
        tracker.begin_series(1)
        assert tracker.observe(0) is NEW
        tracker.end_series()
    assert (tracker.missing, tracker.duplicates, tracker.resets, tracker.series) == (0, 0, 0, 5)


def test_a_series_without_a_number_begins_at_0_and_ends_anywhere() -> None:
    tracker = GapTracker()
    tracker.begin_series()
    assert [tracker.observe(frame_id) for frame_id in (1, 2, 0, 1, 0)] == [
        NEW,
        NEW,
        LATE,
        DUPLICATE,
        DUPLICATE,
    ]
    tracker.end_series()
    assert tracker.missing == 0


def test_where_others_get_a_share_of_the_ids_the_first_one_of_a_series_is_not_known() -> None:
    tracker = GapTracker(4)
    tracker.begin_series(40)
    assert [tracker.observe(frame_id) for frame_id in (2, 6)] == [NEW, NEW]
    tracker.end_series()
    assert tracker.missing == 0


def test_memory_does_not_grow_with_the_gaps() -> None:
    tracker = GapTracker()
    for frame_id in range(0, 200_000, 3):
        tracker.observe(frame_id)
    assert len(tracker._holes) <= 3 * WINDOW


OTHER = ("series start", "raw-1.0")
WHATS = st.integers(0, 2000) | st.sampled_from(["json", "size", *OTHER])
MESSAGES = st.lists(st.tuples(WHATS, st.integers(0, 100)))


@given(MESSAGES)
def test_an_input_accounts_for_every_message(messages: list[tuple[int | str, int]]) -> None:
    ledger, reference = InputLedger(), SetOfIds()
    for number, (what, nbytes) in enumerate(messages):
        if what in OTHER:
            ledger.book_other(str(what), nbytes)
        elif isinstance(what, str):
            ledger.book_malformed(what, nbytes)
        else:
            assert ledger.book_frame(what, nbytes, float(number)) is reference.observe(what)
        now = ledger.snapshot()
        others = sum(now.other.values())
        assert now.messages == now.frames + sum(now.malformed.values()) + others == number + 1
    now = ledger.snapshot()
    frames = [(n, what) for n, (what, _) in enumerate(messages) if isinstance(what, int)]
    assert now.frames == len(frames)
    for reason, counts in (("json", now.malformed), ("raw-1.0", now.other)):
        assert counts.get(reason, 0) == sum(what == reason for what, _ in messages)
    assert now.nbytes == sum(nbytes for _, nbytes in messages)
    assert now.missing == reference.missing
    assert (now.last_time, now.last_frame_id) == (frames[-1] if frames else (None, None))


REASONS = st.sampled_from(["policy", "gate", "queue", "shape"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("skip"), REASONS),
        st.tuples(st.just("drop"), REASONS),
        st.tuples(st.just("queue"), st.none()),
        st.tuples(st.just("pass"), st.integers(0, 9)),
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("discard"), st.integers(0, 3)),
    ),
    max_size=200,
)


@example([*[("queue", None)] * 5, ("send", 2), ("discard", 2), ("send", 1), ("pass", 3), ("skip", "gate")])
@given(EVENTS)
def test_an_output_accounts_for_every_frame(events: list[tuple[str, object]]) -> None:
    ledger, waiting, sent, lost, arrived = OutputLedger(), 0, 0, 0, 0
    for event, value in events:
        arrived += event in ("skip", "drop", "queue", "pass")
        if event == "skip":
            ledger.book_skipped(str(value))
        elif event == "drop":
            ledger.book_dropped(str(value))
            lost += 1
        elif event == "queue":
            ledger.book_queued()
            waiting += 1
        elif event == "pass":
            ledger.book_passed(int(str(value)), 10)
            sent += 1
        elif event == "send" and int(str(value)) <= waiting:
            ledger.book_sent(17, 10, int(str(value)))
            waiting, sent = waiting - int(str(value)), sent + int(str(value))
        elif event == "discard" and int(str(value)) <= waiting:
            ledger.book_discarded("abort", int(str(value)))
            waiting, lost = waiting - int(str(value)), lost + int(str(value))
        now = ledger.snapshot()
        assert now.offered == now.sent + sum(now.skipped.values()) + sum(now.dropped.values()) + now.queued
        assert (now.offered, now.sent, now.queued) == (arrived, sent, waiting)
        assert sum(now.dropped.values()) == lost


def test_frames_that_do_not_wait_cannot_leave_the_queue() -> None:
    ledger = OutputLedger()
    ledger.book_queued()
    before = ledger.snapshot()
    with pytest.raises(ValueError):
        ledger.book_discarded("abort", 2)
    assert ledger.snapshot() == before
    ledger.book_sent(0, 1)
    with pytest.raises(ValueError):
        ledger.book_sent(1, 1)


def test_nothing_discarded_leaves_no_reason_behind() -> None:
    ledger = OutputLedger()
    ledger.book_discarded("abort", 0)
    assert ledger.snapshot().dropped == {}


def test_a_snapshot_does_not_follow_the_ledger() -> None:
    ledger, output = InputLedger(), OutputLedger()
    before = ledger.snapshot(), output.snapshot()
    ledger.book_malformed("json", 1)
    output.book_dropped("queue")
    assert before == (InputLedger().snapshot(), OutputLedger().snapshot())


def test_snapshots_travel_even_from_a_source_that_jumps_over_all_ids() -> None:
    ledger, output = InputLedger(), OutputLedger()
    for frame_id in (0, LAST, 0, LAST):
        ledger.book_frame(frame_id, 1, 0.5)
    output.book_skipped("gate")
    there = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.snapshot()), type=InputSnapshot)
    assert there == ledger.snapshot()
    assert there.missing == LAST
    assert (
        msgspec.msgpack.decode(msgspec.msgpack.encode(output.snapshot()), type=OutputSnapshot)
        == output.snapshot()
    )


def test_kept_frames_are_left_out_or_offered_again_one_by_one() -> None:
    output = OutputLedger()
    for _ in range(3):
        output.book_kept()
    now = output.snapshot()
    assert (now.offered, now.kept, now.queued) == (3, 3, 3)
    output.book_released("gate")
    output.book_released("gate")
    output.book_offered_again()
    now = output.snapshot()
    assert (now.offered, now.kept, now.queued, now.skipped) == (2, 0, 0, {"gate": 2})
    for leave in (output.book_offered_again, lambda: output.book_released("gate")):
        with pytest.raises(ValueError, match="no frame is kept"):
            leave()
    assert output.snapshot() == now


def test_the_bytes_that_were_sent_add_up() -> None:
    output = OutputLedger()
    for frame_id, nbytes in enumerate((10, 20, 30)):
        output.book_queued()
        output.book_sent(frame_id, nbytes)
    assert (output.nbytes_sent, output.snapshot().nbytes_sent) == (60, 60)


def test_what_is_passed_on_at_once_is_the_last_frame_where_it_is_one() -> None:
    output = OutputLedger()
    for frame_id in (7, None):
        output.book_passed(frame_id, 10)
    assert (output.offered, output.sent, output.nbytes_sent, output.last_frame_id) == (2, 2, 20, 7)


def test_only_the_next_id_is_expected() -> None:
    gaps = GapTracker()
    gaps.observe(5)
    assert [frame_id for frame_id in range(4, 9) if gaps.expects(frame_id)] == [6]
    gaps.observe_run(2)
    assert [frame_id for frame_id in range(4, 10) if gaps.expects(frame_id)] == [8]
