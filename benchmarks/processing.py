"""One image through a pipeline's default function against the same in a plain script.

1280 × 960 pixels of uint16 with a tilted beam on noise, with fits, good region, five slices and coupling.
Both are measured by the CPU time of one thread, so that what else the machine does counts less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import compare
from benchmarks.peers import plain_processing
from benchmarks.report import Row
from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.pipeline import Pipeline, Pulse
from repstream.processing.solvers import SOLVERS, Solvers

SHAPE = (960, 1280)
CONFIGURATION = {
    "image_good_region": {"threshold": plain_processing.THRESHOLD, "gfscale": plain_processing.WIDER},
    "image_slices": {"number_of_slices": plain_processing.SLICES, "scale": plain_processing.SCALE},
}
REPEATS = 20
COMPILE_SECONDS = 120.0


def processing(rounds: int) -> Iterator[Row]:
    image = beam()
    x, y = counted(SHAPE[1]), counted(SHAPE[0])
    pipeline, view, pulse = Pipeline(CONFIGURATION), View(image, x, y), Pulse(1, (1, 0))
    plain = {"numpy, curve_fit": rate(lambda: plain_processing.process(image, x, y))}

    def ours() -> Any:
        return pipeline.process(view, pulse)

    SOLVERS.prepare(COMPILE_SECONDS)
    ready = SOLVERS.minimise, SOLVERS.profiles
    yield Row("default function, with numba", 3.0, compare(rate(ours), plain, rounds))
    without = Solvers()
    SOLVERS.minimise, SOLVERS.profiles = without.minimise, without.profiles
    try:
        yield Row("default function, without numba", 2.0, compare(rate(ours), plain, rounds))
    finally:
        SOLVERS.minimise, SOLVERS.profiles = ready


def beam() -> NDArray[np.uint16]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    tilted = y - 420 + 0.1 * (x - 700)
    counts = 3000 * np.exp(-(((x - 700) / 90) ** 2) / 2 - (tilted / 60) ** 2 / 2)
    return (counts + np.random.default_rng(1).poisson(50, SHAPE)).astype(np.uint16)


def rate(run: Callable[[], Any]) -> Callable[[], float]:
    """Images a second of CPU time."""

    def measured() -> float:
        begin = time.thread_time()
        for _ in range(REPEATS):
            run()
        return REPEATS / (time.thread_time() - begin)

    return measured
