"""What a selection does with each frame, beside an acquisition that only notes what it is given."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest
from tests.engine.dataplane.bench import message

from repstream.accounting import SETTLING, OutputLedger
from repstream.dataplane.storing.placement import Place
from repstream.dataplane.writing.acquisition import Acquisition
from repstream.dataplane.writing.fit import Fit
from repstream.dataplane.writing.gate import Gate
from repstream.dataplane.writing.kept_frames import KeptFrames
from repstream.dataplane.writing.numbering import Numbering
from repstream.dataplane.writing.selection import SETTLE_TIME, Selection
from repstream.dataplane.writing.trigger import Trigger
from repstream.messages import array_1_0
from repstream.messages.frame import Frame
from repstream.messages.series import SeriesStart
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig

NOW = 100.0


def frame(frame_id: int, shape: tuple[int, int] = (4, 5), **attributes: Any) -> Frame:
    return array_1_0.decode(message(frame_id, shape, image_attributes=attributes))


def series(images: int) -> SeriesStart:
    return SeriesStart(1, "", {"nimages": images}, {}, None, [])


class Noted:
    """Stands for the acquisition: notes the ids that it gets, their places, and what came with them."""

    def __init__(self, by_id: bool, step: int) -> None:
        self.ledger = OutputLedger()
        self.numbering = Numbering(step, by_id)
        self.blocking = False
        self.room = 1_000_000
        self.ids: list[int] = []
        self.places: list[int | None] = []
        self.series_starts: list[SeriesStart | None] = []
        self.runs: list[int] = []

    @property
    def taken(self) -> int:
        return len(self.ids)

    def take(self, one: Frame, place: Place | None, series_start: SeriesStart | None) -> int:
        self.ids.append(one.frame_id)
        self.places.append(None if place is None else place.number)
        self.series_starts.append(series_start)
        self.ledger.book_queued()
        self.blocking = self.taken >= self.room
        return self.taken

    def take_run(self, frames: list[Frame], limit: int) -> int:
        if not self.ids or self.taken + len(frames) > limit:
            return 0
        self.runs.append(len(frames))
        self.ids += [one.frame_id for one in frames]
        self.ledger.book_queued(len(frames))
        return self.taken


class Case:
    """A selection with an acquisition begun (unless not `begun`); its gate is shut."""

    def __init__(
        self, *, begun: bool = True, images: int = 100, by_id: bool = False, step: int = 1, **config: Any
    ) -> None:
        self.config = WriterConfig.model_validate(config)
        self.full: list[int] = []
        self.fired: list[bool] = []
        self.lock = threading.Lock()
        self.selection = Selection(self.config, self.lock, on_trigger=self._fire, on_full=self.full.append)
        self.acquisition = Noted(by_id, step)
        if begun:
            self.begin(images)

    def begin(self, images: int = 100) -> None:
        acquisition = cast(Acquisition, self.acquisition)
        self.selection.begin(acquisition, Gate(images), Fit(SourceConfig()))

    def _fire(self) -> None:
        self.fired.append(self.selection.is_open)
        self.selection.open(0)

    def admit(self, *ids: int, now: float = NOW, **attributes: Any) -> None:
        """One frame after the other."""
        for frame_id in ids:
            self.selection.admit([frame(frame_id, **attributes)], now)

    @property
    def counts(self) -> tuple[int, int, dict[str, int], dict[str, int]]:
        """Frames offered, kept, left out by reason and lost by reason."""
        assert not self.lock.locked()
        ledger = self.selection.ledger
        return ledger.offered, ledger.kept, ledger.skipped, ledger.dropped


def test_before_the_first_acquisition_frames_are_idle_and_nothing_is_open() -> None:
    case = Case(begun=False)
    case.admit(0, 1)
    assert case.counts == (2, 0, {"idle": 2}, {})
    assert not case.selection.is_open
    assert not case.selection.is_blocked
    assert case.selection.is_whole
    assert case.selection.opening is None
    case.selection.feed()


def test_a_shut_gate_leaves_out_and_an_open_one_lets_through_until_it_is_full() -> None:
    case = Case()
    case.admit(0)
    case.selection.open(2)
    case.admit(1)
    assert case.selection.is_open
    assert case.full == []
    case.admit(2, 3)
    assert case.acquisition.ids == [1, 2]
    assert case.acquisition.places == [None, None]
    assert case.full == [2]
    assert not case.selection.is_open
    assert case.counts == (4, 0, {"gate": 2}, {})
    opening = case.selection.opening
    assert opening is not None
    assert (opening.images, opening.first_id, opening.last_id) == (2, 1, 2)
    assert opening.end is not None
    assert abs(opening.end - time.monotonic()) < 60
    assert abs(opening.begin - time.monotonic()) < 60


def test_after_the_end_frames_are_idle_again() -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0)
    case.selection.finish()
    assert not case.selection.is_open
    case.admit(1)
    assert case.acquisition.ids == [0]
    assert case.counts == (2, 0, {"idle": 1}, {})


def test_ids_below_the_first_one_asked_for_repeats_and_misfits_are_left_out() -> None:
    case = Case(first_image_id=5)
    case.selection.open(0)
    case.admit(4, 5, 6, 7, 6, 8)
    case.selection.admit([frame(9, (2, 2))], NOW)
    case.admit(11)
    assert case.acquisition.ids == [5, 6, 7, 8, 11]
    assert case.counts == (8, 0, {"first_image_id": 1, "duplicate": 1}, {"shape": 1})
    assert not case.selection.is_whole
    assert case.acquisition.numbering.missing_ids == [(10, 10)]


def test_a_policy_leaves_out() -> None:
    case = Case(policy="send_every_nth", every_nth=3)
    case.selection.open(0)
    case.selection.admit([frame(n) for n in range(7)], NOW)
    assert case.acquisition.ids == [0, 3, 6]
    assert case.counts == (7, 0, {"policy": 4}, {})
    assert case.acquisition.runs == []


def test_a_policy_begins_anew_with_each_acquisition_and_when_it_changes_only() -> None:
    case = Case(policy="send_every_nth", every_nth=3)
    case.selection.open(0)
    case.admit(0, 1)
    case.selection.update(case.config.model_copy(update={"first_image_id": 1}))
    case.admit(2, 3, 4)
    assert case.acquisition.ids == [0, 3]
    case.selection.update(case.config.model_copy(update={"every_nth": 2}))
    case.admit(5, 6, 7, 8)
    assert len(case.acquisition.ids) == 4
    case.selection.update(WriterConfig())
    case.admit(9, 10)
    assert case.acquisition.ids[-2:] == [9, 10]


# --- runs ---------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_taken_at_once() -> None:
    case = Case(images=6)
    case.selection.open(0)
    case.selection.admit([frame(n) for n in range(3)], NOW)
    assert (case.acquisition.runs, case.acquisition.ids) == ([], [0, 1, 2])  # the first ones set what fits
    case.selection.admit([frame(3)], NOW)
    case.selection.admit([frame(4), frame(5)], NOW)
    assert (case.acquisition.runs, case.full) == ([2], [6])
    assert not case.selection.is_open
    opening = case.selection.opening
    assert opening is not None
    assert (opening.images, opening.first_id, opening.last_id) == (6, 0, 5)


def test_a_run_is_booked_once_and_leaves_the_gate_open_while_there_is_room() -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0)
    case.selection.admit([frame(1), frame(2)], NOW)
    case.admit(1, 3)
    assert (case.acquisition.runs, case.full) == ([2], [])
    assert case.acquisition.ids == [0, 1, 2, 3]
    assert case.counts == (5, 0, {"duplicate": 1}, {})
    assert case.selection.is_whole


@pytest.mark.parametrize("ids", [[2, 4], [1, 3], [0, 1]])
def test_what_does_not_go_on_is_no_run(ids: list[int]) -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0)
    case.selection.admit([frame(n) for n in ids], NOW)
    assert case.acquisition.runs == []


def test_a_run_at_a_shut_gate_or_below_the_first_id_is_left_out() -> None:
    case = Case(first_image_id=4)
    case.selection.open(0)
    case.selection.admit([frame(4)], NOW)
    case.selection.shut()
    case.selection.admit([frame(5), frame(6)], NOW)
    assert case.counts == (3, 0, {"gate": 2}, {})
    case.selection.open(0)
    case.selection.admit([frame(2), frame(3)], NOW)
    assert case.counts == (5, 0, {"gate": 2, "first_image_id": 2}, {})
    assert case.acquisition.ids == [4]


# --- the trigger --------------------------------------------------------------------------


def test_the_trigger_opens_a_shut_gate_for_the_frame_that_fires() -> None:
    case = Case(trigger_attribute="laser")
    case.admit(0, laser=0)
    case.admit(1, laser=1)
    case.admit(2, laser=0)
    case.admit(3, laser=1)  # the gate is open already
    assert case.fired == [False]
    assert case.acquisition.ids == [1, 2, 3]
    assert case.counts == (4, 0, {"gate": 1}, {})


def test_the_trigger_needs_a_file_that_waits_and_forgets_what_was_before_it() -> None:
    case = Case(begun=False, trigger_attribute="laser")
    case.admit(0, laser=1)
    case.begin()
    case.admit(1, laser=1)
    assert case.fired == [False]
    assert case.acquisition.ids == [1]
    case.selection.finish()
    case.admit(2, laser=0)
    case.admit(3, laser=1)
    assert case.fired == [False]


def test_with_a_trigger_each_frame_of_a_burst_is_looked_at() -> None:
    case = Case(trigger_attribute="laser")
    case.selection.open(0)
    case.selection.admit([frame(0)], NOW)
    case.selection.admit([frame(1), frame(2)], NOW)
    assert (case.acquisition.runs, case.acquisition.ids) == ([], [0, 1, 2])


@pytest.mark.parametrize(
    ("condition", "fires"),
    [("x", [False, True, False, False, True]), ("x > 1", [False, False, False, False, True])],
)
def test_a_condition_fires_where_it_becomes_true(condition: str, fires: list[bool]) -> None:
    trigger = Trigger(condition)
    values: list[dict[str, Any]] = [{"x": 0}, {"x": 1}, {"x": 1}, {}, {"x": 2}]
    assert trigger.enabled
    assert [trigger.fires(frame(n, **value)) for n, value in enumerate(values)] == fires


def test_no_condition_never_fires_and_an_unreadable_header_does_not_hold() -> None:
    assert not Trigger().enabled
    assert not Trigger().fires(frame(0))
    broken = Frame(0, (4, 5), "uint16", False, "", [b"{"], [b""], 1)
    trigger = Trigger("x")
    assert trigger.fires(frame(0, x=1))
    assert not trigger.fires(broken)
    assert trigger.fires(frame(1, x=1))


# --- kept frames --------------------------------------------------------------------------


def test_a_file_begins_with_what_was_kept_within_the_limit() -> None:
    case = Case(keep_frames=2)
    case.admit(0, 1, 2, 3)
    assert case.counts == (4, 2, {"gate": 2}, {})
    case.selection.open(0)
    case.admit(4)
    assert case.acquisition.ids == [2, 3, 4]
    assert case.counts == (5, 0, {"gate": 2}, {})
    assert not case.selection.is_blocked


def test_kept_frames_move_to_the_ledger_of_the_next_acquisition() -> None:
    case = Case(begun=False, keep_frames=2)
    case.admit(0, 1, 2)
    before = case.selection.ledger
    assert case.counts == (3, 2, {"idle": 1}, {})
    case.begin()
    assert (before.offered, before.kept) == (1, 0)
    assert case.counts == (2, 2, {}, {})


def test_kept_frames_wait_for_room_and_go_first() -> None:
    case = Case(keep_frames=3)
    case.admit(0, 1, 2)
    assert not case.selection.is_blocked
    case.acquisition.room = 2
    case.selection.open(0)
    assert case.acquisition.ids == [0, 1]
    assert case.selection.is_blocked
    case.acquisition.blocking = False
    assert case.selection.is_blocked  # for what is still kept
    case.admit(3)
    case.selection.admit([frame(4), frame(5)], NOW)
    assert case.acquisition.ids == [0, 1]
    case.acquisition.room = 100
    case.selection.feed()
    assert case.acquisition.ids == [0, 1, 2, 3, 4, 5]
    assert not case.selection.is_blocked
    case.acquisition.blocking = True
    assert case.selection.is_blocked


def test_feeding_stops_where_the_gate_shuts() -> None:
    case = Case(keep_frames=3)
    case.admit(0, 1, 2)
    case.selection.open(2)
    assert (case.acquisition.ids, case.full) == ([0, 1], [2])
    assert case.counts[1] == 1
    case.selection.release()
    assert case.counts == (3, 0, {"gate": 1}, {})


def test_what_is_kept_too_long_is_let_go() -> None:
    case = Case(keep_time=10.0)
    now = time.monotonic()
    case.admit(0, now=now - 8)
    case.admit(1, now=now - 2)
    case.selection.watch(now + 1)
    assert case.counts == (2, 2, {}, {})
    case.selection.watch(now + 3)
    assert case.counts == (2, 1, {"gate": 1}, {})
    case.selection.open(0)
    opening = case.selection.opening
    assert opening is not None
    assert 1.5 < time.monotonic() - opening.begin < 60  # when the oldest kept frame came
    assert case.acquisition.ids == [1]


def test_what_is_too_old_at_the_opening_is_not_in_the_file() -> None:
    case = Case(keep_time=10.0)
    now = time.monotonic()
    case.admit(0, now=now - 10_000)
    case.selection.open(0)
    assert case.acquisition.ids == []
    assert case.counts == (1, 0, {"gate": 1}, {})


def test_only_new_limits_let_kept_frames_go() -> None:
    case = Case(keep_frames=3)
    case.admit(0, 1)
    case.selection.update(case.config.model_copy(update={"every_nth": 7}))
    assert case.counts[1] == 2
    case.selection.update(case.config.model_copy(update={"keep_frames": 1}))
    assert case.counts == (2, 0, {"gate": 2}, {})
    case.admit(2, 3)
    assert case.counts == (4, 1, {"gate": 3}, {})


def test_kept_frames_by_number_time_and_memory() -> None:
    config = WriterConfig(keep_frames=2, keep_time=3.0, keep_memory=1)
    kept = KeptFrames.of(config)
    assert kept.enabled
    assert kept.age(9.0) == 0.0
    kept.put(frame(0), 1.0)
    kept.put(frame(1), 2.0)
    assert (kept.expire(4.0), kept.age(4.0)) == (0, 3.0)
    assert (kept.expire(4.5), len(kept), kept.age(4.5)) == (1, 1, 2.5)
    kept.put(Frame(2, (1, 1), "uint8", False, "", [], [], (1 << 20) - frame(1).nbytes), 4.5)
    assert kept.expire(4.5) == 0
    kept.put(Frame(3, (1, 1), "uint8", False, "", [], [], 1 << 20), 4.5)
    assert kept.expire(4.5) == 2
    assert kept.pop()[0].frame_id == 3
    with pytest.raises(IndexError):
        kept.pop()
    assert not KeptFrames.of(WriterConfig()).enabled
    assert KeptFrames(1, 0, 1).enabled
    assert KeptFrames(0, 0.5, 1).enabled


# --- the first id of a numbering, once more -----------------------------------------------


def test_a_first_id_that_comes_again_waits_for_the_next_which_shows_a_repeat() -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0, 1, 2, 0)
    assert case.counts == (4, 1, {}, {})
    case.admit(3)
    assert case.acquisition.ids == [0, 1, 2, 3]
    assert case.counts == (5, 0, {"duplicate": 1}, {})


def test_or_which_shows_that_the_numbering_began_anew() -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0, 1, 0, 1)
    assert case.acquisition.ids == [0, 1, 0, 1]
    assert case.counts == (4, 0, {}, {})


def test_a_policy_takes_it_for_the_time_at_which_it_came() -> None:
    case = Case(policy="send_every_sec", every_sec=2.0)
    case.selection.open(0)
    for frame_id, since in ((0, 0.0), (1, 0.5), (0, 1.5), (1, 2.5)):
        case.admit(frame_id, now=NOW + since)
    assert case.acquisition.ids == [0, 1]
    assert case.counts == (4, 0, {"policy": 2}, {})


def test_of_the_last_place_the_one_that_waited_gets_it() -> None:
    case = Case(images=3)
    case.selection.open(0)
    case.admit(0, 1, 0, 1)
    assert (case.acquisition.ids, case.full) == ([0, 1, 0], [3])
    assert case.counts == (4, 0, {"gate": 1}, {})


@pytest.mark.parametrize("discard", [False, True])
def test_what_waits_to_begin_a_numbering_is_a_repeat_when_the_gate_shuts(discard: bool) -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0, 1, 0)
    case.selection.shut(discard=discard)
    assert case.counts == (3, 0, {"duplicate": 1}, {})


# --- places by id -------------------------------------------------------------------------


def test_the_lowest_of_the_first_ids_gets_the_first_place() -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    case.admit(6, 5, 8)
    assert (case.acquisition.ids, case.counts) == ([], (3, 3, {}, {}))
    began = time.monotonic()
    case.selection.watch(began)
    assert case.acquisition.ids == []
    case.selection.watch(began + SETTLE_TIME)
    assert (case.acquisition.ids, case.acquisition.places) == ([6, 5, 8], [1, 0, 3])
    assert case.counts == (3, 0, {}, {})
    case.admit(7)
    assert case.acquisition.places == [1, 0, 3, 2]


def test_enough_ids_or_all_of_the_file_settle_the_first_place() -> None:
    case = Case(by_id=True, images=1000)
    case.selection.open(0)
    case.admit(*range(1, SETTLING))
    assert case.acquisition.ids == []
    case.admit(SETTLING)
    assert case.acquisition.places == list(range(SETTLING))
    few = Case(by_id=True, images=3)
    few.selection.open(2)
    few.admit(4)
    assert few.acquisition.ids == []
    few.admit(3)
    assert (few.acquisition.places, few.full) == ([1, 0], [2])


def test_the_time_to_settle_begins_with_the_first_that_waits() -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    case.admit(6)
    since = case.selection._unplaced_since
    assert abs(since - time.monotonic()) < 60
    case.admit(7)
    assert case.selection._unplaced_since == since


def test_an_id_beyond_the_last_place_completes_the_file() -> None:
    case = Case(by_id=True, images=4)
    case.selection.open(0)
    case.admit(0, 1)
    case.selection.watch(time.monotonic() + 2 * SETTLE_TIME)
    case.admit(3)
    assert (case.acquisition.places, case.full) == ([0, 1, 3], [])
    case.admit(4)
    assert (case.acquisition.places, case.full) == ([0, 1, 3], [4])
    assert not case.selection.is_open
    assert case.counts == (4, 0, {"gate": 1}, {})


def test_those_that_wait_behind_the_end_of_the_file_are_left_out() -> None:
    case = Case(by_id=True, images=3)
    case.selection.open(0)
    case.admit(0, 5, 1)
    assert (case.acquisition.ids, case.full) == ([0], [3])
    assert case.counts == (3, 0, {"gate": 2}, {})


@pytest.mark.parametrize("discard", [False, True])
def test_what_waits_for_its_place_is_written_or_dropped_when_the_gate_shuts(discard: bool) -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    case.admit(1, 0)
    case.selection.shut(discard=discard)
    assert case.acquisition.places == ([] if discard else [1, 0])
    assert case.counts == (2, 0, {}, {"abort": 2} if discard else {})
    assert not case.selection.is_open
    opening = case.selection.opening
    assert opening is not None
    assert opening.end is not None


def test_a_numbering_that_begins_anew_goes_on_behind_the_last_place() -> None:
    case = Case(by_id=True, images=1000)
    case.selection.open(0)
    case.admit(5000, 5001)
    case.admit(0)  # too far below: the numbering began anew
    assert case.acquisition.places == [0, 1]
    case.selection.watch(time.monotonic() + 2 * SETTLE_TIME)
    assert case.acquisition.places == [0, 1, 2]


def test_an_id_that_comes_after_a_jump_over_it_has_no_place() -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    case.admit(0)
    case.selection.watch(time.monotonic() + 2 * SETTLE_TIME)
    case.admit(10**9, 10**9 - 1)
    assert (case.acquisition.ids, case.acquisition.places) == ([0, 10**9], [0, 1])
    assert case.counts == (3, 0, {}, {"late": 1})


# --- series of a detector -----------------------------------------------------------------


def test_a_series_that_begins_in_the_open_gate_is_numbered_from_0() -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    start = series(4)
    case.selection.begin_series(start)
    case.admit(1, 0, 3)
    assert (case.acquisition.places, case.acquisition.series_starts) == ([1, 0, 3], [start] * 3)
    case.selection.end_series()
    assert case.acquisition.numbering.missing_ids == [(2, 2)]
    case.admit(2)
    assert case.acquisition.series_starts[-1] is None


def test_a_series_said_before_the_opening_counts_from_there() -> None:
    case = Case()
    case.selection.begin_series(series(3))
    case.selection.open(0)
    case.admit(1)
    case.selection.end_series()
    assert case.acquisition.numbering.missing_ids == [(0, 0), (2, 2)]


@pytest.mark.parametrize("keeps", [0, 5])
def test_a_series_of_which_frames_came_before_the_opening_does_not(keeps: int) -> None:
    case = Case(keep_frames=keeps)
    case.selection.begin_series(series(9))
    case.admit(3)
    case.selection.open(0)
    case.admit(4)
    case.selection.end_series()
    assert case.acquisition.numbering.missing_ids == []
    assert case.acquisition.numbering.missing == 0


def test_nor_does_one_that_is_over() -> None:
    case = Case()
    case.selection.begin_series(series(9))
    case.selection.end_series()
    case.selection.open(0)
    case.admit(4)
    assert case.selection.is_whole
    assert case.acquisition.series_starts == [None]


def test_nor_one_whose_frames_went_through_the_opening_before() -> None:
    case = Case()
    case.selection.begin_series(series(4))
    case.selection.open(2)
    case.admit(0, 1)
    case.selection.open(0)
    case.admit(2, 3)
    assert case.acquisition.ids == [0, 1, 2, 3]
    assert case.acquisition.numbering.missing == 0


def test_a_series_settles_what_waited_before_it() -> None:
    case = Case(by_id=True)
    case.selection.open(0)
    case.admit(8, 7)
    case.selection.begin_series(series(3))
    case.admit(0)
    assert (case.acquisition.ids, case.acquisition.places) == ([8, 7, 0], [1, 0, 2])


def test_a_series_ends_the_doubt_about_the_one_before() -> None:
    case = Case()
    case.selection.open(0)
    case.admit(0, 1, 0)
    case.selection.begin_series(series(2))
    case.admit(0, 1)
    assert case.acquisition.ids == [0, 1, 0, 1]
    assert case.counts == (5, 0, {"duplicate": 1}, {})
