"""Several receivers that look like one data plane: what each is asked, and what the service hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from repstream.accounting import InputLedger, RunLog
from repstream.dataplane import control
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.service.receivers.several import Several

N = 2


class FakeReceiver:
    """A receiver that answers what it is asked, unless it is `mute`; what `Several` needs of `Plane`."""

    process_id = 1
    start = None

    def __init__(self, site: Site, number: int) -> None:
        self._site, self._number = site, number
        self.asked: list[control.Request] = []
        self.mute = False

    def send(self, request: control.Request) -> None:
        self.asked.append(request)
        if not self.mute:
            self._site.several.hear(self._number, control.Answer(request.request))

    def last(self, kind: type[Any]) -> Any:
        return next((request for request in reversed(self.asked) if isinstance(request, kind)), None)


class Site:
    """`Several` on fake receivers, what it started again, and what it said."""

    def __init__(self) -> None:
        self.planes = [FakeReceiver(self, number) for number in range(N)]
        self.launched: list[int] = []
        self.heard: list[control.Notice] = []
        self.several = Several(
            Configuration,
            self.planes,  # type: ignore[arg-type]
            N,
            launch=self.launched.append,
            tell=self.heard.append,
            on_death=lambda reason: None,
        )

    def ask(self, request: control.Request) -> None:
        self.several.send(request)

    def answered(self, number: int) -> str:
        """The answer to a request, which is awaited."""
        until(lambda: self._answer(number) is not None, f"the answer to {number}")
        answer = self._answer(number)
        assert answer is not None
        return answer.reason

    def report(self, receiver: int, ids: range = range(0), clock: float = 1.0, **source: Any) -> None:
        """A receiver reports that it got these since it last did."""
        log = RunLog()
        books = InputLedger(gaps=log)
        for frame_id in ids:
            books.book_frame(frame_id, 10, 0.0)
        settings: dict[str, Any] = {"connected": True, "last_time": None, "runs": log.take(), **source}
        shown = control.SourceReport(books.snapshot(), **settings, shape=None, dtype=None)
        self.several.hear(receiver, control.Report(clock, shown, {}, {}, 0))

    def said(self, kind: type[Any]) -> list[Any]:
        return [notice for notice in self.heard if isinstance(notice, kind)]

    def _answer(self, number: int) -> control.Answer | None:
        return next((answer for answer in self.said(control.Answer) if answer.request == number), None)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    configuration = Configuration.model_validate(
        {"source": {"receivers": N}, "writers": {"main": {}}, "slots": {"writers.main": 1}}
    )
    site.ask(control.Open(1, storage.dump(configuration)))
    assert site.answered(1) == ""
    yield site
    site.several.retire()


def plan(folder: Path) -> control.AcquisitionPlan:
    return control.AcquisitionPlan(
        acquisition_id="1-1", run_id="r", path=str(folder / "scan.h5"), detector_name="d", num_images=0,
        compression="none", overwrite=False, user_id=0, attributes={}, shared_step=1,
    )  # fmt: skip


@pytest.mark.parametrize("frames", [0, 5, None])
def test_one_that_comes_back_is_armed_before_it_gets_a_frame(
    site: Site, tmp_path: Path, frames: int | None
) -> None:
    site.several.lost(1, "killed by SIGKILL")
    until(lambda: site.launched == [1], "another process")
    site.planes[0].mute = True  # the acquisition begins: the other one has not answered yet
    site.ask(control.Arm(2, 1, plan(tmp_path), frames))
    until(lambda: site.planes[0].last(control.Arm), "the request")
    site.several.hear(1, control.Beat())
    until(lambda: len(site.planes[1].asked) == 2, "a second opening")
    opening = site.planes[1].last(control.Open)
    assert [(arm.slot, arm.frames, Path(arm.plan.path).name) for arm in opening.arms] == [
        (1, frames, "scan_part1.h5")
    ]
    assert site.planes[1].last(control.Arm) is None


def test_one_that_cannot_begin_again_is_tried_once_more_and_awaited_by_nobody(site: Site) -> None:
    site.several.lost(1, "killed by SIGKILL")
    until(lambda: site.launched == [1], "another process")
    site.planes[1].mute = True
    site.several.hear(1, control.Beat())
    until(lambda: len(site.planes[1].asked) == 2, "a second opening")
    site.report(0)
    until(lambda: site.said(control.Report), "a report without it")
    opening = site.planes[1].last(control.Open)
    site.several.hear(1, control.Answer(opening.request, "cannot bind tcp://*:9611"))
    until(lambda: site.launched == [1, 1], "another process")
    assert any("cannot bind tcp://*:9611" in note.message for note in site.said(control.Note))
    site.ask(control.Update(3, storage.dump(Configuration())))
    assert site.answered(3) == ""


def test_what_one_that_comes_back_got_before_it_could_say_so_is_not_missing(site: Site) -> None:
    """It is connected before it has made its files, and meanwhile the others get ids far beyond its own."""
    site.report(0, range(0, 100, 2))
    site.report(1, range(1, 100, 2))
    until(lambda: site.said(control.Report), "a report")
    site.several.lost(1, "killed by SIGKILL")
    until(lambda: site.launched == [1], "another process")
    site.planes[1].mute = True
    site.several.hear(1, control.Beat())
    until(lambda: len(site.planes[1].asked) == 2, "a second opening")
    before = len(site.said(control.Report))
    site.report(0, range(100, 6000, 2), clock=9.0)
    until(lambda: len(site.said(control.Report)) > before, "a report without it")
    site.several.hear(1, control.Answer(site.planes[1].last(control.Open).request))
    site.report(1, range(201, 6000, 2), clock=9.1)
    site.report(0, range(6000, 6001), clock=9.1)
    until(lambda: site.said(control.Report)[-1].source.ledger.missing, "what died with it")
    ledger = site.said(control.Report)[-1].source.ledger
    assert (ledger.missing, ledger.late, ledger.duplicates, ledger.resets) == (50, 0, 0, 0)


def test_one_that_cannot_begin_again_holds_nobody_up(site: Site) -> None:
    site.report(0, range(0, 100, 2))
    site.report(1, range(1, 100, 2))
    site.several.lost(1, "killed by SIGKILL")
    until(lambda: site.launched == [1], "another process")
    site.planes[1].mute = True
    site.several.hear(1, control.Beat())
    until(lambda: len(site.planes[1].asked) == 2, "a second opening")
    refusal = control.Answer(site.planes[1].last(control.Open).request, "cannot bind tcp://*:9611")
    site.several.hear(1, refusal)
    site.report(0, range(100, 200, 2), clock=2.0)
    until(lambda: site.said(control.Report)[-1].source.ledger.missing == 49, "those that it would have got")


def test_the_input_is_connected_where_that_of_each_receiver_is(site: Site) -> None:
    for receiver in range(N):
        site.report(receiver)
    until(lambda: site.said(control.Report), "a report")
    assert site.said(control.Report)[-1].source.connected
    site.several.lost(1, "killed by SIGKILL")
    until(lambda: site.said(control.Note), "the death")
    assert not site.said(control.Report)[-1].source.connected


def test_a_stop_does_not_wait_for_one_that_dies_meanwhile(site: Site) -> None:
    for receiver in range(N):
        site.report(receiver)
    site.planes[1].mute = True
    site.ask(control.Close(2, 1.0))
    until(lambda: site.planes[1].last(control.Close), "the request")
    site.several.lost(1, "killed by SIGKILL")
    assert site.answered(2) == ""
    until(lambda: site.launched == [1], "another process")
    site.several.hear(1, control.Beat())
    until(lambda: site.said(control.Report), "a report")
    site.several.hear(0, control.Closed(site.said(control.Report)[-1], 3))
    until(lambda: site.said(control.Closed), "the end")
    assert site.said(control.Closed)[0].undelivered == 3
    assert site.planes[1].last(control.Open).arms == () and len(site.planes[1].asked) == 2
