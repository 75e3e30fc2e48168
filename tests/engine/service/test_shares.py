"""What several receivers are given, what is refused, and their reports as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.accounting import IdRun, InputLedger, InputSnapshot, OutputLedger, RunLog
from repstream.dataplane import control
from repstream.errors import Refused
from repstream.parameters.configuration import Configuration
from repstream.parameters.receivers import beside, parse_cpus
from repstream.parameters.writer import WriterConfig
from repstream.service.receivers.merging import Reports
from repstream.service.receivers.shared_acquisition import SharedAcquisition
from repstream.service.receivers.shared_ids import SETTLE_TIME
from repstream.service.receivers.shares import check_receivers, check_writer, image_step, share_of
from repstream.states import AcquisitionState


def configuration(streams: dict[str, str] | None = None, **source: Any) -> Configuration:
    return Configuration.model_validate(
        {
            "source": {"receivers": 2, **source},
            "streams": {name: {"address": address} for name, address in (streams or {}).items()},
        }
    )


@pytest.mark.parametrize(
    ("address", "receiver", "expected"),
    [
        ("tcp://*:9610", 0, "tcp://*:9610"),
        ("tcp://*:9610", 3, "tcp://*:9613"),
        ("tcp://[::1]:9610", 1, "tcp://[::1]:9611"),
        ("ipc:///run/live", 1, "ipc:///run/live.1"),
        ("ring://name", 0, "ring://name"),
    ],
)
def test_streams_are_on_consecutive_ports(address: str, receiver: int, expected: str) -> None:
    assert beside(address, receiver) == expected


@pytest.mark.parametrize("address", ["tcp://*:65535", "tcp://*:0", "ring://name"])
def test_an_address_that_has_no_next_one_is_said(address: str) -> None:
    with pytest.raises(ValueError, match=r"choose a lower one|cannot be had once for each"):
        beside(address, 1)


def test_each_receiver_has_its_own_addresses_and_cores() -> None:
    whole = configuration(
        {"live": "tcp://*:9610"},
        receiver_addresses="tcp://det:1, tcp://det:2",
        receiver_cpus="2, 4-5",
    )
    shares = [share_of(whole, receiver) for receiver in range(2)]
    assert [share.source.address for share in shares] == ["tcp://det:1", "tcp://det:2"]
    assert [parse_cpus(share.source.receiver_cpus) for share in shares] == [({2},), ({4, 5},)]
    assert [share.streams["live"].address for share in shares] == ["tcp://*:9610", "tcp://*:9611"]


def test_streams_whose_ports_meet_are_refused() -> None:
    streams = {"live": "tcp://*:9610", "preview": "tcp://*:9611"}
    with pytest.raises(Refused, match=r"streams live and preview have the same address tcp://\*:9611"):
        check_receivers("start", configuration(streams))
    check_receivers("start", configuration({"live": "tcp://*:9610", "preview": "tcp://*:9620"}))
    check_receivers("start", configuration(streams, receivers=1))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"number_of_parts": 2}, "no number_of_parts"),
        ({"images_per_file": 10}, "no images_per_file"),
        ({"follow_series": True}, "no follow_series"),
        ({"trigger_attribute": "shot"}, "no trigger_attribute"),
        ({"keep_frames": 5}, "no keep_frames"),
        ({"policy": "modulo", "modulo": 2}, "no policy modulo"),
    ],
)
def test_what_receivers_would_do_alone_a_writer_does_not_have(
    settings: dict[str, Any], complaint: str
) -> None:
    writer = WriterConfig.model_validate(settings)
    with pytest.raises(Refused, match=complaint):
        check_writer("start", writer, configuration().source)
    check_writer("start", writer, configuration(receivers=1).source)


def test_images_of_a_writer_are_as_far_apart_as_the_ids_and_the_policy_say() -> None:
    every_fourth = WriterConfig(policy="send_every_nth", every_nth=4)
    assert image_step(WriterConfig(), configuration().source) == 1
    assert image_step(every_fourth, configuration(id_step=6).source) == 12
    assert image_step(every_fourth, configuration(receivers=1).source) == 0


# --- reports ------------------------------------------------------------------------------


class Receiver:
    """A receiver's books, and its reports."""

    def __init__(self) -> None:
        self.runs = RunLog()
        self.input = InputLedger(gaps=self.runs)
        self.output = OutputLedger()

    def take(self, frame_id: int, fate: str) -> None:
        if fate == "malformed":
            self.input.book_malformed("json", 1)
            return
        self.input.book_frame(frame_id, 10, 0.0)
        match fate:
            case "sent":
                self.output.book_passed(frame_id, 10)
            case "queued":
                self.output.book_queued()
            case _:
                self.output.book_dropped("queue")

    def report(self, clock: float) -> control.Report:
        source = control.SourceReport(self.input.snapshot(), True, None, None, None, runs=self.runs.take())
        stream = control.StreamReport(self.output.snapshot(), 0.0, 1, 0, False)
        return control.Report(clock=clock, source=source, streams={1: stream}, writers={}, losses=0)


FATES = st.sampled_from(["sent", "queued", "dropped", "malformed", "died", "report"])


@given(st.integers(2, 4), st.lists(st.tuples(st.integers(0, 3), FATES), max_size=80))
def test_sums_are_exact_whatever_dies_in_between(receivers: int, events: list[tuple[int, str]]) -> None:
    reports, clock = Reports(receivers, 1), 0.0
    own = [Receiver() for _ in range(receivers)]
    for number, each in enumerate(own):
        reports.take(number, each.report(clock))
    for frame_id, (whose, fate) in enumerate(events):
        number, clock = whose % receivers, clock + 0.1
        if fate == "died":
            reports.take(number, own[number].report(clock))
            reports.lose(number)
            own[number] = Receiver()
            reports.take(number, own[number].report(clock))
        elif fate == "report":
            reports.take(number, own[number].report(clock))
        else:
            own[number].take(frame_id, fate)
    for number, each in enumerate(own):
        reports.take(number, each.report(clock))
    said = reports.said(final=True)
    ledger, stream = said.source.ledger, said.streams[1].ledger
    fates = [fate for _, fate in events if fate not in ("died", "report")]
    assert ledger.messages == len(fates) == ledger.frames + sum(ledger.malformed.values())
    assert ledger.frames == stream.offered
    assert stream.offered == stream.sent + stream.queued + sum(stream.dropped.values())
    # Every id came once, but for those of messages that were no frames.
    ids = [i for i, (_, fate) in enumerate(events) if fate in ("sent", "queued", "dropped")]
    missing = (ids[-1] - ids[0] + 1 - len(ids)) if ids else 0
    assert (ledger.missing, ledger.duplicates) == (missing, 0)


@pytest.mark.parametrize("ahead", [400, 800, 1500, 3000])
@pytest.mark.parametrize("said", [True, False])
def test_ids_of_a_receiver_that_came_back_are_not_missing_before_it_says_them(ahead: int, said: bool) -> None:
    """However far the others are by then; those that died with it are, once."""
    reports, own = Reports(2, 1), [Receiver(), Receiver()]

    def say(number: int, clock: float) -> None:
        reports.take(number, own[number].report(clock))

    for frame_id in range(200):
        own[frame_id % 2].take(frame_id, "sent")
    say(0, 0.1), say(1, 0.1)
    for frame_id in range(200, 250):  # come to it, and nobody hears of them
        own[1].take(frame_id, "sent")
    reports.lose(1)
    own[1] = Receiver()
    reports.begin(1)
    for frame_id in range(250, 350):
        own[1].take(frame_id, "sent")
    for frame_id in range(350, 350 + ahead):
        own[0].take(frame_id, "sent")
    for clock in (1.0, 2.0, 3.0):
        say(0, clock)
        if said:
            assert reports.said().source.ledger.missing == 0
    say(1, 3.1)
    ledger = reports.said(final=True).source.ledger
    assert (ledger.frames, ledger.missing, ledger.resets) == (300 + ahead, 50, 0)


def test_a_receiver_that_did_not_begin_again_holds_no_judgement_up() -> None:
    reports, own = Reports(2, 1), [Receiver(), Receiver()]
    own[0].take(0, "sent"), own[1].take(1, "sent")
    for number in range(2):
        reports.take(number, own[number].report(0.1))
    reports.lose(1)
    reports.begin(1)
    for frame_id in range(5, 10):
        own[0].take(frame_id, "sent")
    reports.take(0, own[0].report(1.0))
    assert reports.said().source.ledger.missing == 0
    reports.lose(1)
    assert reports.said().source.ledger.missing == 3


def test_after_a_pause_no_id_is_missing_that_is_still_on_its_way() -> None:
    reports, own = Reports(2, 1), [Receiver(), Receiver()]

    def said(clock: float) -> InputSnapshot:
        for number in range(2):
            reports.take(number, own[number].report(clock))
        return reports.said().source.ledger

    for frame_id in range(2):
        own[frame_id].take(frame_id, "sent")
    for tenth in range(30):
        said(tenth / 10)
    own[1].take(3, "sent")
    assert said(3.0).missing == 0
    own[0].take(2, "sent")
    ledger = said(3.1)
    assert (ledger.frames, ledger.missing, ledger.late) == (4, 0, 0)
    assert said(4.0).missing == 0
    own[1].take(5, "sent")  # and 4 never comes
    assert [said(5 + eighth / 8).missing for eighth in range(6)] == [0, 0, 0, 0, 1, 1]


def test_one_that_stops_answering_in_a_pause_is_awaited() -> None:
    reports, own = Reports(2, 1), [Receiver(), Receiver()]
    for frame_id in range(2):
        own[frame_id].take(frame_id, "sent")
    for tenth in range(30):
        for number in range(2):
            reports.take(number, own[number].report(tenth / 10))
        reports.said()
    for frame_id in range(2, 40, 2):  # the others come to receiver 2, which stands still
        own[0].take(frame_id, "sent")
        own[1].take(frame_id + 1, "sent")
        reports.take(0, own[0].report(3 + frame_id / 10))
        assert reports.said().source.ledger.missing == 0
    reports.take(1, own[1].report(9.0))
    ledger = reports.said(final=True).source.ledger
    assert (ledger.frames, ledger.missing, ledger.late) == (40, 0, 0)


# --- where an acquisition begins ------------------------------------------------------------


class Noted:
    """Fills `Doors`."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, control.Request]] = []

    def ask(self, receiver: int, build: Callable[[int], control.Request]) -> None:
        self.asked.append((receiver, build(1)))

    def tell(self, notice: control.Notice) -> None:
        """Nobody listens."""

    def show(self, acquisition: SharedAcquisition) -> None:
        """Nothing is made."""


def shared(doors: Noted, step: int = 1, images: int = 100) -> SharedAcquisition:
    plan = control.AcquisitionPlan(
        acquisition_id="1-1", run_id="r", path="/data/scan.h5", detector_name="d", num_images=images,
        compression="none", overwrite=False, user_id=0, attributes={}, shared_step=step,
    )  # fmt: skip
    acquisition = SharedAcquisition(1, plan, 2, step, doors)
    for receiver in range(2):
        acquisition.part_for(receiver)
    acquisition.open(0)
    return acquisition


@pytest.mark.parametrize(
    ("step", "firsts", "agreed"),
    [
        (1, [(0, None), (1, None)], 0),  # the detector begins now
        (1, [(1, None), (0, None)], 0),
        (1, [(100, 98), (121, 119)], 120),  # it runs, and the second gate was open later
        (1, [(0, 998), (1, 999)], 0),  # its numbering begins anew
        (1, [(500, 98), (501, 99)], 500),  # others had the images in between
        (10, [(1000, 980), (1210, 1190)], 1200),
    ],
)
def test_the_first_image_is_the_lowest_that_no_gate_left_out(
    step: int, firsts: list[tuple[int, int | None]], agreed: int
) -> None:
    doors = Noted()
    acquisition = shared(doors, step)
    for receiver, (first, before) in enumerate(firsts):
        assert acquisition.ids.first is None
        acquisition.hear(receiver, control.FirstNotice(1, "1-1", first, before), 10.0)
    assert acquisition.ids.first == agreed
    settled = [(receiver, request.first_id) for receiver, request in doors.asked]  # type: ignore[union-attr]
    assert settled == [(0, agreed), (1, agreed)]


def test_a_receiver_without_images_is_not_awaited_for_long() -> None:
    acquisition = shared(Noted())
    acquisition.hear(0, control.FirstNotice(1, "1-1", 7, None), 10.0)
    acquisition.watch(10.0 + SETTLE_TIME / 2)
    assert acquisition.ids.first is None
    acquisition.watch(10.0 + SETTLE_TIME)
    assert acquisition.ids.first == 7


def test_it_is_complete_when_the_receivers_have_all_images_together() -> None:
    doors = Noted()
    acquisition = shared(doors, images=10)
    for receiver in range(2):
        acquisition.hear(receiver, control.FirstNotice(1, "1-1", receiver, None), 10.0)
    doors.asked.clear()
    for receiver, images in ((0, 5), (1, 4), (1, 5)):
        assert doors.asked == []
        ledger = OutputLedger()
        ledger.book_queued(images)
        report = control.WriterReport(
            ledger.snapshot(), 0.0, "1-1", AcquisitionState.ACQUIRING_IMAGES, True, 0, 0,
            runs=(IdRun(receiver, 2, images),),
        )  # fmt: skip
        acquisition.on_report(receiver, report, 11.0)
    assert [(receiver, type(request), request.complete) for receiver, request in doors.asked] == [  # type: ignore[union-attr]
        (0, control.End, True),
        (1, control.End, True),
    ]
