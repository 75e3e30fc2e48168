"""A stream whose frames other threads make: the order stays, and the sums are exact at every moment."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.dataplane.bench import PATIENCE, message

from repstream.dataplane.outputs import Passing, StreamOutput
from repstream.dataplane.workers import Work
from repstream.errors import MalformedMessage
from repstream.messages import array_1_0
from repstream.messages.frame import Frame
from repstream.parameters.stream import StreamConfig


class Sink:
    """A transport that takes messages as long as it is told to."""

    room: Any = None
    consumers = disconnects = 0

    def __init__(self) -> None:
        self.takes = True
        self.ids: list[int] = []

    def send(self, parts: Sequence[Any]) -> bool:
        if self.takes:
            self.ids.append(array_1_0.decode(parts).frame_id)
        return self.takes

    def update(self) -> None:
        pass

    def close(self, linger: float) -> None:
        pass


class SomeWork:
    """A step that hands back work for even ids, which fails for multiples of 6; odd ones pass at once.

    The threads make a frame for each permit.
    """

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)

    def __call__(self, frame: Frame) -> Frame | Work:
        return (
            Work(frame.frame_id, frame.nbytes, lambda: self._make(frame))
            if frame.frame_id % 2 == 0
            else frame
        )

    def _make(self, frame: Frame) -> Frame:
        assert self.permits.acquire(timeout=PATIENCE)
        if frame.frame_id % 6 == 0:
            raise MalformedMessage("compression", "damaged")
        return frame


STEPS = st.lists(st.sampled_from(["frame", "frame", "frame", "made", "drain", "room", "no room", "other"]))


@settings(max_examples=150)
@given(st.sampled_from(["block", "drop_oldest", "drop_newest"]), st.integers(1, 5), STEPS)
def test_every_frame_is_sent_in_order_or_counted_as_lost(rule: str, room: int, steps: list[str]) -> None:
    sink, step, woken = Sink(), SomeWork(), threading.Semaphore(0)
    config = StreamConfig(on_slow=rule, buffer_size=room)
    output = StreamOutput("out", config, sink, step, wake=woken.release)
    number = others = 0
    for each in [*steps, "room"]:
        match each:
            case "frame" if not output.blocking:
                output.offer(array_1_0.decode(message(number)), 0.0)
                number += 1
            case "other":
                output.pass_on(Passing([b""], 0))
                others += 1
            case "made":
                step.permits.release()
            case "room" | "no room":
                sink.takes = each == "room"
            case "drain":
                output.drain()
        _check(output, number + others)
    for _ in range(number + 1):
        step.permits.release()
    output.drain()
    while output.waiting:
        assert woken.acquire(timeout=PATIENCE)
        output.drain()
        _check(output, number + others)
    output.close(0)
    dropped = output.ledger.dropped
    assert output.ledger.skipped == ({"format": others} if others else {})
    assert sink.ids == sorted(set(sink.ids))
    assert len(sink.ids) == output.ledger.sent == number - sum(dropped.values())
    if rule == "block":
        lost = len(range(0, number, 6))
        assert dropped == ({"compression": lost} if lost else {})


def _check(output: StreamOutput, offered: int) -> None:
    ledger = output.ledger.snapshot()
    taken = ledger.sent + ledger.queued + sum(ledger.skipped.values()) + sum(ledger.dropped.values())
    assert ledger.offered == offered == taken
