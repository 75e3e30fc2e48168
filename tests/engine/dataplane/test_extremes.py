"""The largest numbers that a message can carry, on their way out of a data plane."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.dataplane import extremes, listed
from tests.engine.dataplane.bench import configuration, image, plan
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_process import process

from repstream.accounting import COUNT_LIMIT, InputLedger
from repstream.dataplane import control
from repstream.dataplane.repeater import Repeater
from repstream.messages import array_1_0
from repstream.parameters import source, stream
from repstream.parameters.catalogue import Group, build
from repstream.parameters.configuration import Configuration
from repstream.parameters.facts import Value
from repstream.parameters.output_status import StreamStatus
from repstream.parameters.status import SourceStatus
from repstream.service.context import by_key
from repstream.service.figures import Rates, count_source, count_stream

LAST = 2**64 - 1

Address = Callable[[str], str]


def test_more_losses_than_64_bits_hold_end_no_data_plane(
    address: Address, peer: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "scan.h5"
    with process() as (_, plane):
        streams = {"live": {"address": address("live")}}
        assert plane.open(configuration(address("in"), streams=streams, writers={"file": {}})) == ""
        assert plane.ask(control.Arm, slot=1, plan=plan(path), frames=0) == ""
        plane.writer(1, lambda w: w.gate_open)
        source = peer(zmq.PUSH, bind=address("in"))
        for frame_id in (0, LAST, 0, LAST):
            source.send_multipart(array_1_0.encode(frame_id, image(1)))
        source.send_multipart([b"junk"])
        source.send_multipart([b"junk"])
        report = plane.report(lambda r: r.source.ledger.messages == 6)
        assert report.source.ledger.missing == report.writers[1].missing == COUNT_LIMIT
        before = report.losses
        source.send_multipart([b"junk"])
        assert plane.report(lambda r: r.source.ledger.messages == 7).losses == before + 1
        assert plane.ask(control.End, slot=1, discard=False) == ""
        assert plane.acquisition("FINISHED").report.missing == COUNT_LIMIT
    with h5py.File(path) as file:
        assert file["/entry/acquisition/missing"][()] == COUNT_LIMIT
        assert len(file["/entry/data/data"]) == 4


def test_what_no_wire_carries_is_sent_as_the_nearest_that_it_does() -> None:
    ledger = msgspec.structs.replace(InputLedger().snapshot(), missing=2**70, duplicates=-(2**70))
    source = control.SourceReport(ledger, connected=True, last_time=float("inf"), shape=(2**64,), dtype=None)
    report = control.Report(time.monotonic(), source, {}, {}, losses=2**64)
    there = msgspec.msgpack.decode(control.encode(report), type=control.Report)
    assert (there.losses, there.source.shape, there.source.ledger.missing) == (LAST, (LAST,), LAST)
    assert (there.source.ledger.duplicates, there.source.last_time) == (-(2**63), float("inf"))
    note = msgspec.msgpack.decode(control.encode(control.Note(30, "scan_\udcff.h5")), type=control.Note)
    assert note.message == "scan_?.h5"


PARAMETERS = build().parameters
STREAMS: dict[str, dict[str, str]] = {
    "plain": {},
    "rewritten": {"header": "std_det_writer"},
    "few": {"policy": "send_every_nth_frame"},
}


@pytest.fixture(scope="module")
def in_lists() -> Iterator[Configuration]:
    """A configuration whose messages come from a list and go to lists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(source.SOURCES, "listed", listed.__name__)
        patch.setitem(stream.TRANSPORTS, "listed", listed.__name__)
        writers = {"file": {"run_id": "9" * 200}}
        base = configuration("tcp://127.0.0.1:9609", streams=STREAMS, writers=writers)
        streams = {
            name: config.model_copy(update={"address": "listed://out"})
            for name, config in base.streams.items()
        }
        there = base.source.model_copy(update={"address": "listed://in"})
        yield base.model_copy(update={"source": there, "streams": streams})


def counted(report: control.Report) -> dict[str, Value]:
    """The counters of the input and the streams as the service shows them, by key."""
    rates, received = Rates(), SourceStatus()
    count_source(received, report.source, report.clock, rates)
    found = by_key(received, Group.SOURCE)
    for slot, one in report.streams.items():
        sent = StreamStatus()
        count_stream(sent, one, f"s{slot}", report.clock, rates)
        found |= by_key(sent, Group.STREAM, slot)
    return found


def check(report: control.Report, sent: int) -> None:
    """The sums hold, and every number fits where it goes."""
    ledger = report.source.ledger
    others = sum(ledger.other.values())
    assert ledger.messages == sent == ledger.frames + sum(ledger.malformed.values()) + others
    assert "internal" not in ledger.malformed
    for one in report.streams.values():
        taken = one.ledger.sent + sum(one.ledger.skipped.values()) + sum(one.ledger.dropped.values())
        assert taken + one.ledger.queued == one.ledger.offered == ledger.frames + others
    there = msgspec.msgpack.decode(control.encode(report), type=control.Notice)
    assert there == report
    for key, value in counted(report).items():
        parameter = PARAMETERS[key]
        if isinstance(value, int | float) and not isinstance(value, bool) and parameter.maximum is not None:
            assert value <= parameter.maximum, key


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_the_extremes_of_every_field_pass_a_data_plane(in_lists: Configuration, seed: int) -> None:
    dice = random.Random(seed)
    notices: list[Any] = []
    repeater = Repeater(in_lists, notices.append, lambda: None)
    assert isinstance(repeater.source, listed.ListedSource)
    sent = [extremes.message(dice) for _ in range(30)]
    repeater.source.messages.extend(sent)
    repeater.receive(time.monotonic() + 60, lambda: False)
    report = repeater.report()
    check(report, len(sent))
    plain = repeater.streams[1].transport
    assert isinstance(plain, listed.KeepingTransport)
    assert all(parts in sent for parts in plain.sent)
    for notice in notices:
        control.encode(notice)
    repeater.close_source()
    repeater.close_streams(0)[0].join()


def test_the_extremes_of_every_field_end_neither_a_process_nor_a_file(
    address: Address, peer: Opener, tmp_path: Path
) -> None:
    dice = random.Random(4)
    with process() as (_, plane):
        streams = {"live": {"address": address("live"), "header": "std_det_writer"}}
        writers = {"file": {"run_id": "9" * 200}}
        assert plane.open(configuration(address("in"), streams=streams, writers=writers)) == ""
        assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5"), frames=0) == ""
        plane.writer(1, lambda w: w.gate_open)
        there = peer(zmq.PUSH, bind=address("in"))
        for _ in range(2000):
            there.send_multipart(extremes.message(dice))
        report = plane.report(lambda r: r.source.ledger.messages == 2000)
        assert "internal" not in report.source.ledger.malformed
        assert report.source.ledger.frames > 500
        assert plane.ask(control.End, slot=1, discard=False) == ""
        assert plane.acquisition("FINISHED").report.ledger.sent > 0
