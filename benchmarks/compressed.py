"""Compressed files: packed by the writer, and images that come packed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks import ceilings
from benchmarks.loads import SIZES, Format, Load
from benchmarks.pairs import Contenders, child, compare_starts
from benchmarks.report import Row
from benchmarks.writer import all_on_used_memory, beside_pwrite, folders, work_folder, writing

PACKED_COUNTS = {"0.5 MB": 800, "4.8 MB": 100}
ARRIVING_COUNTS = {"0.5 MB": 1_500, "4.8 MB": 150}
ARRIVING: tuple[Format, ...] = ("bsread bitshuffle_lz4", "DECTRIS bs16-lz4<")


def packing(rounds: int) -> Iterator[Row]:
    """bitshuffle-LZ4 from raw images, in memory, against the compressor alone; one core for each."""
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        for size, count in PACKED_COUNTS.items():
            load = Load(SIZES[size].shape, count, content=True)
            measured = compare_starts(partial(_beside_compressor, load), rounds)
            yield Row(f"raw images → bitshuffle-LZ4, {size}", 0.9, measured)
    finally:
        del os.environ["OMP_NUM_THREADS"]


@contextmanager
def _beside_compressor(load: Load) -> Iterator[Contenders]:
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(list(folders().values())[-1]))
        ours = stack.enter_context(writing(load, folder, "bitshuffle_lz4"))
        alone = stack.enter_context(child(ceilings.compressor, load))

        def compressor() -> float:
            alone.send(load.count)
            rate: float = alone.recv()
            return rate

        yield all_on_used_memory(ours.acquire, {"the compressor alone": compressor}, folder, load)


def arriving(rounds: int) -> Iterator[Row]:
    """Images that come packed, stored as they came, against `pwrite` of the packed bytes."""
    for size, count in ARRIVING_COUNTS.items():
        for format_ in ARRIVING:
            load = Load(SIZES[size].shape, count, format_, content=True)
            for where, storage in folders().items():
                measured = compare_starts(partial(beside_pwrite, load, storage, known=True), rounds)
                yield Row(f"{format_}, {size} → file, {where}", 0.8, measured)
