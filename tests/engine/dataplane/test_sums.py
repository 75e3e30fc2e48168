"""The sums, while everything goes wrong at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import zmq
from tests.engine.dataplane.bench import Plane, configuration, message, plan
from tests.engine.dataplane.conftest import Opener

from repstream.dataplane import control
from repstream.messages import dectris_v1

STREAMS = {
    "slow": {"on_slow": "drop_newest", "buffer_size": 7},
    "absent": {"buffer_size": 5, "policy": "strides", "stride": 3},
    "block": {"on_slow": "block", "buffer_size": 3, "policy": "modulo", "modulo": 4},
    "packed": {"mode": "PUB", "format": "bsread", "compression": "lz4", "buffer_size": 4},
    "array": {"format": "array-1.0", "on_slow": "drop_newest", "buffer_size": 9},
    "pub": {"mode": "PUB", "policy": "batch", "burst": 2, "frame_block": 9},
}


def messages(count: int, seed: int) -> list[list[bytes]]:
    """Frames with gaps, repetitions, late ones, new beginnings and other shapes, and garbage."""
    dice = random.Random(seed)
    found, frame_id = [], 0
    for _ in range(count):
        frame_id = dice.choice([frame_id + 1] * 20 + [frame_id, frame_id + 3, max(0, frame_id - 2), 0])
        shape = dice.choice([(4, 5)] * 20 + [(5, 4)])
        good = message(frame_id, shape)
        bad = [[b"{"], [good[0]], [good[0], b"short"], [*good, good[1]]]
        found.append(dice.choice([good] * 20 + bad + [[b'{"htype":"raw-1.0"}'], dectris_v1.encode_end(1)]))
    return found


def check(report: control.Report) -> None:
    source = report.source.ledger
    others = sum(source.other.values())
    assert source.messages == source.frames + sum(source.malformed.values()) + others
    outputs = [stream.ledger for stream in report.streams.values()]
    for ledger in outputs + [writer.ledger for writer in report.writers.values()]:
        taken = ledger.sent + ledger.queued + sum(ledger.skipped.values()) + sum(ledger.dropped.values())
        assert ledger.offered == taken
    assert {stream.ledger.offered for stream in report.streams.values()} == {source.frames + others}


def test_every_frame_is_accounted_for_in_every_report(
    plane: Plane, address: Callable[[str], str], peer: Opener, tmp_path: Path
) -> None:
    streams = {name: {"address": address(name), **fields} for name, fields in STREAMS.items()}
    writers = {"file": {"buffer_size": 2, "on_slow": "drop_oldest"}}
    assert plane.open(configuration(address("in"), streams=streams, writers=writers)) == ""
    assert plane.ask(control.Arm, slot=1, plan=plan(tmp_path / "scan.h5", 3000)) == ""
    plane.acquisition("WAITING_IMAGES")
    assert plane.ask(control.OpenGate, slot=1, frames=0) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    slow, block = (peer(zmq.PULL, connect=address(name), hwm=1) for name in ("slow", "block"))
    for number, parts in enumerate(messages(5000, seed=1)):
        source.send_multipart(parts)
        if number % 3 == 0:
            for sink in (slow, block):
                if sink.poll(0):
                    sink.recv_multipart()
    while True:
        report = plane.report()
        if report.source.ledger.messages == 5000:
            break
        while block.poll(0):
            block.recv_multipart()
    final = plane.close(patience=0.0).report
    for seen in [*plane.of(control.Report), final]:
        check(seen)
    assert final.source.ledger.messages == 5000
    assert all(stream.ledger.queued == 0 for stream in final.streams.values())
    assert final.writers[1].ledger.offered == final.source.ledger.frames
