"""Gaps against a plain set of all ids seen, and ledgers whose sums hold after every event."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repstream.accounting import (
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
LAST = 2**64 - 1


class SetOfIds:
    """The reference: every id of a series in a set, everything counted from it anew."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self.series: set[int] = set()
        self.missing_before = 0

    @property
    def missing(self) -> int:
        if not self.series:
            return 0
        span = (max(self.series) - min(self.series)) // self.step + 1
        return self.missing_before + span - len(self.series)

    def begins_anew(self, frame_id: int) -> bool:
        first, last = min(self.series), max(self.series)
        between = (frame_id - first) % self.step != 0
        return between or frame_id < first or frame_id <= last - WINDOW * self.step

    def observe(self, frame_id: int) -> Verdict:
        if self.series and self.begins_anew(frame_id):
            self.missing_before = self.missing
            self.series = {frame_id}
            return RESET
        if frame_id in self.series:
            return DUPLICATE
        late = bool(self.series) and frame_id < max(self.series)
        self.series.add(frame_id)
        return LATE if late else NEW


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
        if draw(st.booleans()):
            run = range(current + 1, min(current + draw(st.integers(1, 60)), LAST))
            ids += run
            current = ids[-1]
    return ids


@settings(deadline=None)
@given(sequences())
@example([*range(0, 3000, 2), *range(2999, 1900, -2)])
@example([0, 1024, 1026, 1028, 1030, 7, 8, 6])
@example([5, 5 + WINDOW, 6, 5])
@example([0, LAST, 0, LAST])
def test_verdicts_and_counts_are_those_of_a_set_of_all_ids(ids: list[int]) -> None:
    tracker, reference = GapTracker(), SetOfIds()
    verdicts = []
    for frame_id in ids:
        verdicts.append(reference.observe(frame_id))
        assert tracker.observe(frame_id) is verdicts[-1]
        assert tracker.missing == min(reference.missing, LAST)
    assert tracker.duplicates == verdicts.count(DUPLICATE)
    assert tracker.late == verdicts.count(LATE)
    assert tracker.resets == verdicts.count(RESET)


@settings(deadline=None)
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
        assert not expected or gone == [i for i in expected if i not in reference.series]


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
        ([7, 6], [NEW, RESET], 0),
        ([0, 1024, 1], [NEW, NEW, LATE], 1022),
        ([0, 1024, 0], [NEW, NEW, RESET], 1023),
        ([0, 1023, 0], [NEW, NEW, DUPLICATE], 1022),
        ([LAST, 0, 1], [NEW, RESET, NEW], 0),
    ],
)
def test_worked_examples(ids: list[int], verdicts: list[Verdict], missing: int) -> None:
    tracker = GapTracker()
    assert [tracker.observe(frame_id) for frame_id in ids] == verdicts
    assert tracker.missing == missing


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
