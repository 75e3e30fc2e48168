"""The largest numbers that a message can carry, on their way out of a data plane."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import h5py
import msgspec
import zmq
from tests.engine.dataplane.bench import configuration, image, plan
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_process import process

from repstream.accounting import COUNT_LIMIT, InputLedger
from repstream.dataplane import control
from repstream.messages import array_1_0

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
    report = control.Report(time.time(), source, {}, {}, losses=2**64)
    there = msgspec.msgpack.decode(control.encode(report), type=control.Report)
    assert (there.losses, there.source.shape, there.source.ledger.missing) == (LAST, (LAST,), LAST)
    assert (there.source.ledger.duplicates, there.source.last_time) == (-(2**63), float("inf"))
    note = msgspec.msgpack.decode(control.encode(control.Note(30, "scan_\udcff.h5")), type=control.Note)
    assert note.message == "scan_?.h5"
