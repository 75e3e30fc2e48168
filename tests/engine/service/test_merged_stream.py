"""The sums of a stream that is merged: exact at any moment, whoever has reported when and whatever dies."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from repstream.accounting import OutputLedger
from repstream.dataplane.control import MergeReport, StreamReport
from repstream.service.receivers.merged_stream import SETTLING, MergedStream


class Model:
    """Receivers that hand messages over, and one that merges; what has become of each message."""

    def __init__(self, receivers: int) -> None:
        self.books = MergedStream()
        self.clock = 0.0
        self._lanes = 0
        self.lane: dict[int, int] = {}
        self.out: dict[int, OutputLedger] = {}
        self.on_the_way: dict[int, int] = {}
        self.numbers: dict[int, int] = {}
        for receiver in range(receivers):
            self.begin(receiver)
        self.merge()

    def begin(self, receiver: int) -> None:
        self.lane[receiver], self._lanes = self._lanes, self._lanes + 1
        self.books.begin(self.lane[receiver])
        self.out[receiver] = OutputLedger()
        self.on_the_way[receiver] = 0

    def merge(self) -> None:
        self.merged, self.held = OutputLedger(), 0
        self.reached: dict[int, int] = {}

    def do(self, what: str, receiver: int) -> None:
        self.clock += 0.1
        out, lane = self.out[receiver], self.lane[receiver]
        match what:
            case "skip":
                out.book_skipped("policy")
            case "drop":
                out.book_dropped("queue")
            case "queue":
                out.book_queued()
            case "hand over" if out.queued:
                out.book_sent(1, 10)
                self.on_the_way[receiver] += 1
            case "arrive" if self.on_the_way[receiver]:
                self.on_the_way[receiver] -= 1
                self.numbers[lane] = self.numbers.get(lane, 0) + 1
                self.reached[lane] = self.numbers[lane]
                self.held += 1
            case "lost on the way" if self.on_the_way[receiver]:
                self.on_the_way[receiver] -= 1
                self.numbers[lane] = self.numbers.get(lane, 0) + 1
            case "send" if self.held:
                self.held -= 1
                self.merged.book_passed(1, 10)
            case "late" if self.held:
                self.held -= 1
                self.merged.book_dropped("late")
            case "report":
                self.books.note(lane, self._report(out))
            case "merger reports":
                self.books.take(
                    self._report(self.merged), MergeReport(dict(self.reached), self.held), self.clock
                )
            case "receiver dies":
                self.books.end(lane, self.clock)
                self.begin(receiver)
            case "merger dies":
                self.books.lose()
                self.merge()

    @staticmethod
    def _report(ledger: OutputLedger) -> StreamReport:
        return StreamReport(ledger.snapshot(), 0.0, 1, 0, False)


EVENTS = st.sampled_from(
    [
        *("queue", "hand over", "arrive", "send", "report", "merger reports") * 3,
        *("skip", "drop", "late", "lost on the way", "receiver dies", "merger dies"),
    ]
)


@given(st.integers(2, 3), st.lists(st.tuples(EVENTS, st.integers(0, 2)), max_size=120))
def test_sums_are_exact_at_any_moment_and_only_grow(receivers: int, events: list[tuple[str, int]]) -> None:
    model, before = Model(receivers), (0, 0, 0)
    for what, receiver in events:
        model.do(what, receiver % receivers)
        ledger = model.books.report().ledger
        skipped, dropped = sum(ledger.skipped.values()), sum(ledger.dropped.values())
        assert ledger.offered == ledger.sent + skipped + dropped + ledger.queued
        assert ledger.queued >= 0
        now = (ledger.offered, ledger.sent, skipped)
        assert all(count >= earlier for count, earlier in zip(now, before, strict=True))
        before = now
    ledger = model.books.report(final=True).ledger
    assert ledger.queued == 0
    assert ledger.offered == ledger.sent + sum(ledger.skipped.values()) + sum(ledger.dropped.values())


def test_nothing_is_lost_where_nobody_dies() -> None:
    model = Model(2)
    for number in range(40):
        for what in ("queue", "hand over", "arrive", "send"):
            model.do(what, number % 2)
    for receiver in range(2):
        model.do("report", receiver)
    assert not model.books.is_through
    model.do("merger reports", 0)
    assert model.books.is_through
    report = model.books.report()
    assert (report.ledger.offered, report.ledger.sent, report.ledger.dropped) == (40, 40, {})
    assert (report.ledger.nbytes_sent, report.clients, model.books.losses) == (400, 1, 0)


def test_what_a_dead_receiver_had_on_the_way_is_dropped_once_it_does_not_arrive() -> None:
    model = Model(2)
    for what in ("queue", "queue", "queue", "hand over", "hand over", "arrive", "send", "report"):
        model.do(what, 0)
    model.do("receiver dies", 0)
    model.do("merger reports", 0)
    ledger = model.books.report().ledger
    assert (ledger.queued, ledger.dropped) == (1, {"receiver": 1})  # one may still arrive
    model.clock += SETTLING
    model.do("merger reports", 0)
    ledger = model.books.report().ledger
    assert (ledger.queued, ledger.dropped, model.books.losses) == (0, {"receiver": 2}, 1)


def test_what_waits_behind_a_slow_consumer_is_awaited() -> None:
    model = Model(2)
    for what in ("queue", "hand over", "report", "receiver dies"):
        model.do(what, 0)
    blocking = msgspec.structs.replace(model._report(model.merged), blocking=True)
    for _ in range(2):
        model.books.take(blocking, MergeReport({}, 0), model.clock + 9)
    assert (model.books.report().ledger.queued, model.books.report().blocking) == (1, True)
