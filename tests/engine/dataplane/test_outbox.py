"""Notices to a service that reads slowly, or not at all any more."""

from __future__ import annotations

import socket
import uuid
from contextlib import closing
from multiprocessing.connection import Connection, Pipe

from repstream.dataplane import control
from repstream.dataplane.line import Line, meeting_place
from repstream.dataplane.outbox import Outbox
from repstream.files.fence import Start


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


def test_who_takes_a_data_plane_up_hears_the_answer_first() -> None:
    start = Start(uuid.uuid4().hex, 1, "here")
    ours, theirs = Pipe()
    with closing(Line(ours, start, patience=60)) as line, socket.socket(socket.AF_UNIX) as there:
        theirs.close()
        assert line.lose()
        there.connect(meeting_place(start))
        assert line.take_up()
        line.outbox.put(control.Beat())  # a report that is due before the other side has asked
        line.outbox.answer(lambda: control.Answer(1))
        line.outbox.put(control.Beat())
        with Connection(there.detach()) as pipe:
            assert [control.notices.receive(pipe) for _ in range(2)] == [control.Answer(1), control.Beat()]
