"""Files that begin before their start: with frames that were kept, or at a trigger in the headers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.engine.dataplane.bench import PATIENCE, Plane, message, plan, writer_alone
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_acquisitions import arm, end, result_of, running, send, start, sums

from repstream.dataplane import control
from repstream.dataplane.writing.kept_frames import KeptFrames
from repstream.dataplane.writing.trigger import Trigger
from repstream.messages import array_1_0
from repstream.messages.frame import Frame
from repstream.parameters.trigger_condition import parse_condition
from repstream.parameters.writer import WriterConfig

Address = Callable[[str], str]
Socket = zmq.Socket[bytes]


def frame(frame_id: int, **attributes: Any) -> Frame:
    return array_1_0.decode(message(frame_id, image_attributes=attributes))


def ids_of(path: Path) -> list[int]:
    with h5py.File(path) as file:
        return list(file["/detector/metadata"]["image_id"]) if "detector/metadata" in file else []


# --- the ring -----------------------------------------------------------------------------


@given(
    st.integers(0, 6),
    st.floats(0, 5),
    st.integers(1, 400),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 150)), max_size=40),
)
def test_what_is_kept_is_the_newest_within_every_limit(
    frames: int, seconds: float, nbytes: int, come: list[tuple[float, int]]
) -> None:
    kept = KeptFrames(frames, seconds, nbytes)
    assert kept.enabled is (frames > 0 or seconds > 0)
    model: list[tuple[int, float, int]] = []
    now, gone = 0.0, 0
    for frame_id, (pause, size) in enumerate(come):
        now += pause
        kept.put(Frame(frame_id, (1, 1), "uint8", False, "", [], [], size), now)
        gone += kept.expire(now)
        model.append((frame_id, now, size))
        while model and (
            sum(item[2] for item in model) > nbytes
            or 0 < frames < len(model)
            or 0 < seconds < now - model[0][1]
        ):
            del model[0]
        assert len(kept) == len(model)
    assert gone == len(come) - len(model)
    popped = [kept.pop() for _ in range(len(kept))]
    assert [(of.frame_id, came) for of, came in popped] == [item[:2] for item in model]


def test_a_trigger_fires_where_its_attribute_rises() -> None:
    trigger = Trigger("laser")
    levels: list[dict[str, Any]] = [{"laser": 0}, {}, {"laser": 2.5}, {"laser": 1}, {}, {"laser": True}]
    assert [trigger.fires(frame(i, **level)) for i, level in enumerate(levels)] == [
        *(False, False, True, False, False, True)
    ]
    assert Trigger("laser").fires(frame(0, laser=1))
    assert not Trigger("laser").fires(frame(0, laser="on"))
    assert not Trigger("").fires(frame(0, laser=1))


@pytest.mark.parametrize(
    ("condition", "values", "fires"),
    [
        ("x > 100", [100, 100.5, 200, 3, 101], [False, True, False, False, True]),
        ("x>=1e2", [99, 100, 100, 99.9, 100], [False, True, False, False, True]),
        ("x < -2.5", [-2.5, -3, 0, -4], [False, True, False, True]),
        ("x <= 9007199254740992", [2**53 + 1, 2**53], [False, True]),
        ("x == 9007199254740993", [2**53, 2**53 + 1], [False, True]),
        ("  x == 3 ", [2, 3, 3.0, 4, 3], [False, True, False, False, True]),
        ("x != 0", [0, 1, None, 2], [False, True, False, True]),
        ("x == true", [0, True, False, True], [False, True, False, True]),
        ("SAR:CH-1.x > 0", [1], [False]),
    ],
)
def test_a_trigger_fires_where_its_comparison_becomes_true(
    condition: str, values: list[float | None], fires: list[bool]
) -> None:
    trigger = Trigger(condition)
    frames = [frame(i, **({} if value is None else {"x": value})) for i, value in enumerate(values)]
    assert [trigger.fires(one) for one in frames] == fires


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intensity >> 100", "'>>' in 'intensity >> 100' is no comparison: use one of >= <= == != > <"),
        ("intensity = 100", "'=' in 'intensity = 100' is no comparison"),
        ("intensity > high", "'high' in 'intensity > high' is no number"),
        ("intensity > 100 and x < 5", "'100 and x < 5' in .* is no number"),
        ("intensity > 0x10", "'0x10' in .* is no number"),
        ("intensity > nan", "'nan' in .* is no number"),
        ("intensity >", "'' in 'intensity >' is no number"),
        ("intensity 100", "'intensity 100' is neither an attribute's name nor a comparison"),
        ("> 100", "neither an attribute's name nor a comparison"),
        ("100 < x < 200", "'x < 200' in .* is no number"),
    ],
)
def test_what_is_no_condition_is_refused_when_it_is_written(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WriterConfig().changed({"trigger_attribute": text})


@given(st.text(max_size=40))
def test_a_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse_condition(text)
    except ValueError:
        return
    assert condition is None or condition.attribute in text


# --- a file that begins with what was kept ------------------------------------------------


def test_a_file_begins_with_the_frames_that_were_kept(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_frames=5)
    send(source, range(12))
    idle = plane.writer(1, lambda w: w.ledger.offered == 12).ledger
    assert (idle.queued, idle.kept, idle.skipped) == (5, 5, {"idle": 7})
    start(plane, tmp_path / "scan.h5", 10)
    send(source, range(12, 20))
    done = plane.acquisition("FINISHED").report.ledger
    assert ids_of(tmp_path / "scan.h5") == list(range(7, 17))
    assert (done.sent, result_of(tmp_path / "scan.h5", "missing")) == (10, 0)
    assert sums(done) == done.offered
    last = plane.writer(1, lambda w: w.ledger.offered == 13).ledger
    assert (last.kept, sums(last)) == (3, 13)  # what came after the end is kept for the next one


def test_frames_are_kept_between_two_openings_of_the_gate(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_time=60.0)
    path = tmp_path / "scan.h5"
    start(plane, path, frames=3)
    send(source, range(8))
    plane.next(control.GateNotice)
    plane.writer(1, lambda w: w.ledger.sent == 3 and w.ledger.kept == 5)
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    plane.writer(1, lambda w: w.ledger.sent == 8)
    end(plane)
    plane.acquisition("FINISHED")
    assert ids_of(path) == list(range(8))
    assert (result_of(path, "received"), result_of(path, "written")) == (8, 8)


def test_what_is_kept_at_the_end_is_not_in_the_counts_of_the_file(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_frames=4)
    path = tmp_path / "scan.h5"
    arm(plane, path)
    send(source, range(9))
    plane.writer(1, lambda w: w.ledger.kept == 4)
    end(plane)
    done = plane.acquisition("FINISHED").report.ledger
    assert (done.offered, done.kept, done.skipped, done.dropped) == (9, 4, {"gate": 5}, {})
    counts = [result_of(path, name) for name in ("received", "written", "skipped", "dropped")]
    assert counts == [5, 0, 5, 0]
    closed = plane.close().report.writers[1].ledger
    assert (closed.queued, sums(closed)) == (0, 9)


def test_time_and_memory_bound_what_is_kept(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_time=0.3, keep_memory=1)
    send(source, range(9), shape=(300, 500))  # 0.3 MB: three fit into 1 MiB
    assert plane.writer(1, lambda w: w.ledger.offered == 9).ledger.kept <= 3
    assert plane.writer(1, lambda w: w.ledger.kept == 0).ledger.skipped == {"idle": 9}


def test_what_was_kept_passes_a_queue_that_is_smaller(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_frames=200, buffer_size=1, on_slow="drop_newest")
    send(source, range(200))
    plane.writer(1, lambda w: w.ledger.kept == 200)
    start(plane, tmp_path / "scan.h5", 200)
    assert plane.acquisition("FINISHED").report.ledger.sent == 200
    assert ids_of(tmp_path / "scan.h5") == list(range(200))


# --- the trigger --------------------------------------------------------------------------


def test_a_header_attribute_starts_an_armed_writer(
    plane: Plane, address: Address, peer: Opener, tmp_path: Path
) -> None:
    source = running(plane, address, peer, keep_frames=3, trigger_attribute="laser")
    send(source, [0], image_attributes={"laser": 1})  # nothing is armed yet
    plane.writer(1, lambda w: w.ledger.offered == 1)
    arm(plane, tmp_path / "scan.h5", 6)
    send(source, range(1, 8), image_attributes={"laser": 0})
    assert plane.writer(1, lambda w: w.ledger.offered == 8).gate_open is False
    send(source, range(8, 20), image_attributes={"laser": 1})
    assert plane.next(control.GateNotice).is_open
    done = plane.acquisition("FINISHED").report.ledger
    assert ids_of(tmp_path / "scan.h5") == list(range(5, 11))
    assert sums(done) == done.offered


# --- the sums -----------------------------------------------------------------------------


class Bench:
    """A writer without a router: told what to do, one step after another."""

    def __init__(self, folder: Path, config: WriterConfig) -> None:
        self._woken = threading.Event()
        self._folder = folder
        self.ended = 0
        self.files = 0
        self.offered = 0
        self.writer = writer_alone(config, self._tell, self._woken.set)

    def _tell(self, notice: control.AcquisitionNotice | control.GateNotice) -> None:
        if isinstance(notice, control.AcquisitionNotice) and notice.state in ("FINISHED", "FAILED"):
            self.ended += 1

    def do(self, step: str, now: float) -> None:
        match step:
            case "arm":
                path = self._folder / f"{self.files}.h5"
                if not self.writer.arm(plan(path, 5)):
                    self.files += 1
            case "open":
                self.writer.open_gate(0)
            case "burst":
                self.writer.open_gate(2)
            case "stop" | "abort":
                self.writer.end(discard=step == "abort")
            case "watch":
                self.writer.watch(now, False)
            case "settle":
                self._settle()
            case _:
                self._offer(step, now)

    def _offer(self, step: str, now: float) -> None:
        while self.writer.blocking:
            self._settle()
        self.writer.admit([frame(self.offered, on=step == "trigger")], now)
        self.offered += 1

    def _settle(self) -> None:
        self._woken.wait(0.01)
        self._woken.clear()
        self.writer.poll()

    def finish(self) -> None:
        self.writer.end(discard=False)
        self.writer.release()
        for _ in range(int(PATIENCE / 0.01)):
            if not self.writer.busy:
                return
            self._settle()
        raise AssertionError("the file was not closed")


STEPS = st.lists(
    st.sampled_from(["frame"] * 12 + ["trigger", "arm", "open", "burst", "stop", "abort", "watch", "settle"]),
    max_size=80,
)


@pytest.mark.parametrize("rule", ["block", "drop_oldest", "drop_newest"])
@settings(max_examples=15)
@given(st.integers(1, 4), st.booleans(), STEPS)
def test_no_frame_is_counted_twice_or_forgotten(
    rule: str, keep: int, trigger: bool, steps: list[str]
) -> None:
    config = WriterConfig.model_validate(
        {
            "keep_frames": keep,
            "on_slow": rule,
            "buffer_size": 2,
            "trigger_attribute": "on" if trigger else "",
        }
    )
    with TemporaryDirectory() as name:
        bench = Bench(Path(name), config)
        before = moved = 0
        for number, step in enumerate(steps):
            bench.do(step, float(number))
            ledger = bench.writer.report().ledger
            assert ledger.kept <= ledger.queued
            assert sums(ledger) == ledger.offered
            if step == "arm" and ledger.offered < before:
                moved += before - ledger.offered
            before = ledger.offered
            assert before + moved == bench.offered
        bench.finish()
        last = bench.writer.report().ledger
        assert (last.queued, last.kept, sums(last)) == (0, 0, last.offered)
        seen: Counter[int] = Counter()
        for path in Path(name).iterdir():
            ids = ids_of(path)
            assert ids == sorted(ids)
            assert result_of(path, "written") == len(ids)
            parts = [result_of(path, part) for part in ("written", "skipped", "dropped")]
            assert result_of(path, "received") == sum(parts)
            seen.update(ids)
        assert not seen or max(seen.values()) == 1
