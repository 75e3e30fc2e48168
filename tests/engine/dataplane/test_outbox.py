"""Notices to a service that reads slowly, or not at all any more."""

from __future__ import annotations

from multiprocessing.connection import Pipe

from repstream.dataplane import control
from repstream.dataplane.outbox import Outbox


def test_a_slow_reader_holds_nobody_up_and_misses_nothing() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        outbox = Outbox(ours, control.notices.send)
        for number in range(20_000):
            outbox.put(control.Answer(number, "x" * 100))
        assert outbox.waiting
        for number in range(20_000):
            outbox.flush()
            assert control.notices.receive(theirs) == control.Answer(number, "x" * 100)
        assert not outbox.waiting


def test_a_reader_that_is_gone_is_no_error_here() -> None:
    ours, theirs = Pipe()
    theirs.close()
    with ours:
        outbox = Outbox(ours, control.notices.send)
        outbox.put(control.Answer(1))
        assert not outbox.waiting
