"""The data plane of this tree against that of an earlier commit: what a frame costs, and how fast they go.

Both are driven by the benchmarks of their own tree, take turns, and are started three times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.pairs import measured, rounds_of_starts
from benchmarks.peers.commit import THIS, Build, Figures
from benchmarks.report import Row
from benchmarks.writer import folders

NOISE = 0.05
"""Two starts of the same tree differ by this."""

Run = Callable[[], Figures]

FORWARDED = {"4 kB": 36_000, "123 kB": 6_000, "4.8 MB": 200}
WRITTEN = {"4 kB": 30_000, "123 kB": 2_500, "4.8 MB": 80}
SHORT = {"4 kB": 10}
"""Images of one run by their size; in a short acquisition the making of the file counts."""


def repeater(rounds: int, base: Build) -> Iterator[Row]:
    """1 input → PUSH of all, PUB of every 5th, PUB of every 10th."""
    for size, count in FORWARDED.items():
        yield from _rows(f"1 → 3, {size}", rounds, base, "repeater", size, count)


def writer(rounds: int, base: Build) -> Iterator[Row]:
    """Acquisitions of a known number of raw images into one file, in memory where there is some."""
    where, storage = list(folders().items())[-1]
    for size, count in WRITTEN.items():
        yield from _rows(f"file of {size} images, {where}", rounds, base, "writer", size, count, storage)
    for size, count in SHORT.items():
        what = f"file of {count} images of {size}, {where}"
        yield from _rows(what, rounds, base, "writer", size, count, storage)


def _rows(what: str, rounds: int, base: Build, *arguments: object) -> Iterator[Row]:
    @contextmanager
    def both() -> Iterator[tuple[Run, dict[str, Run]]]:
        with (
            THIS.running(*map(str, arguments)) as ours,
            base.running(*map(str, arguments)) as theirs,
        ):
            yield ours, {base.name: theirs}

    runs = rounds_of_starts(both, rounds)
    cost = {name: [run.cpu_seconds * 1e6 for run in found] for name, found in runs.items()}
    rate = {name: [run.rate for run in found] for name, found in runs.items()}
    yield Row(f"CPU time per frame, {what}", 1 + NOISE, measured(cost), unit="µs", most=True)
    yield Row(f"rate, {what}", 1 - NOISE, measured(rate))
