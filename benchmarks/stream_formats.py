"""Streams in another format than the input: bsread of an array source, raw and packed.

Raw bsread is measured beside a stream that stays as it is. Packing is measured by the time of the
processor that its threads take, beside the codec alone: what else a message costs, receiving and sending, is
the same with and without.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import ceilings
from benchmarks.ceilings import Output
from benchmarks.forwarding import ONE
from benchmarks.lanes import data_plane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, Run, child, compare_starts, free_addresses
from benchmarks.repeater import forwarding
from benchmarks.report import Row
from repstream.dataplane.storing.packing import NICENESS

MEASURED = ("0.5 MB", "4.8 MB")
COUNTS = {"0.5 MB": 400, "4.8 MB": 60}


def raw(rounds: int) -> Iterator[Row]:
    """One PUSH of all images as bsread against the same as array-1.0."""
    for size in MEASURED:
        peers = {"array-1.0": data_plane}
        own = partial(data_plane, format="bsread")
        yield Row(f"array-1.0 → bsread, {size}", 0.9, forwarding(SIZES[size], ONE, peers, rounds, own))


def packed(rounds: int) -> Iterator[Row]:
    """One PUSH of all images as packed bsread against the codec alone, per second of the processor."""
    for size in MEASURED:
        for encoding in ("lz4", "bitshuffle_lz4"):
            load = Load(SIZES[size].shape, COUNTS[size], content=True)
            measured = compare_starts(partial(_beside_codec, load, encoding), rounds)
            yield Row(f"array-1.0 → bsread {encoding}, {size}", 0.8, measured)


@contextmanager
def _beside_codec(load: Load, encoding: str) -> Iterator[Contenders]:
    with ExitStack() as stack:
        # On all cores, as the stream packs: two threads of one core slow each other.
        cores = range(len(os.sched_getaffinity(0)))
        alone = [stack.enter_context(child(ceilings.packer, load, encoding)) for _ in cores]

        def codec() -> float:
            for packer in alone:
                packer.send(load.count)
            return statistics.fmean(packer.recv() for packer in alone)

        yield stack.enter_context(_packing(load, encoding)), {"the codec alone": codec}


@contextmanager
def _packing(load: Load, encoding: str) -> Iterator[Run]:
    address, out = free_addresses(2)
    outputs = [Output(out, *ONE[0])]
    with ExitStack() as stack:
        source = stack.enter_context(child(ceilings.source, load, address, 0.0))
        settings = {"format": "bsread", "compression": encoding}
        plane = stack.enter_context(data_plane(load, address, outputs, **settings))
        sink = stack.enter_context(child(ceilings.sink, load, outputs))

        def run() -> float:
            begin = _packing_time(plane.process_id)
            sink.send(load.count)
            source.send(load.count)
            source.recv()
            sink.recv()
            return load.count / (_packing_time(plane.process_id) - begin)

        yield run


def _packing_time(process_id: int) -> float:
    """Seconds of the processor that the threads that pack have taken: those of lower priority."""
    nanoseconds = 0
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        fields = (thread / "stat").read_text().rpartition(")")[2].split()
        if int(fields[16]) >= NICENESS:
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds * 1e-9
