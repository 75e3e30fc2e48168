"""One image through a pipeline's default function against the same in a plain script.

1280 × 960 pixels of uint16 with a tilted beam on noise, with fits, good region, five slices and coupling.
Both are measured by the CPU time of one thread, so that what else the machine does counts less.

As many threads as there are cores (`processing_threads`) against as many processes, each of which processes
its own images and hands on nothing: what the cores could do at most, whatever else they do.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.pairs import Measured, child, compare
from benchmarks.peers import plain_processing
from benchmarks.report import Row
from repstream.processing import solvers
from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.ordered import Ordered
from repstream.processing.pipeline import Pipeline, Pulse
from repstream.processing.solvers import SOLVERS

SHAPE = (960, 1280)
CONFIGURATION = {
    "image_good_region": {"threshold": plain_processing.THRESHOLD, "gfscale": plain_processing.WIDER},
    "image_slices": {"number_of_slices": plain_processing.SLICES, "scale": plain_processing.SCALE},
}
PULSE = Pulse(1, (1, 0))
REPEATS = 20
CORES = len(os.sched_getaffinity(0))
IMAGES, ROOM = 100 * CORES, 20
COMPILE_SECONDS = 120.0


def processing(rounds: int) -> Iterator[Row]:
    SOLVERS.prepare(COMPILE_SECONDS)
    pipeline, view = Pipeline(CONFIGURATION), beam()
    with ExitStack() as stack:
        processes = [stack.enter_context(child(by_itself)) for _ in range(CORES)]
        most = {f"{CORES} processes": lambda: together(processes)}
        threads = compare(lambda: threaded(pipeline, view), most, rounds)
    yield Row(f"processing_threads {CORES}, with numba", 0.8, threads)
    yield Row("default function, with numba", 3.0, against_script(pipeline, view, rounds))
    with child(without_numba) as process:
        process.send(rounds)
        yield Row("default function, without numba", 2.0, process.recv())


def against_script(pipeline: Pipeline, view: View, rounds: int) -> Measured:
    """Images a second of CPU time, of the pipeline and of the script."""
    script = {"numpy, curve_fit": rate(lambda: plain_processing.process(*view))}
    return compare(rate(lambda: pipeline.process(view, PULSE)), script, rounds)


def without_numba(pipe: Connection) -> None:
    """A process in which numba is not there."""
    sys.modules["numba"] = None  # type: ignore[assignment]
    from repstream.processing import levenberg  # noqa: PLC0415

    solvers.HAS_NUMBA = False
    SOLVERS.minimise = levenberg.minimise
    pipe.send("ready")
    pipe.send(against_script(Pipeline(CONFIGURATION), beam(), pipe.recv()))


def threaded(pipeline: Pipeline, view: View) -> float:
    """Images a second through the threads of a pipeline."""
    ordered: Ordered[Any] = Ordered(CORES, ROOM)
    begin, done = time.perf_counter(), 0
    for _ in range(IMAGES):
        rest = pipeline.begin(view, PULSE)
        assert rest is not None
        while not ordered.put(lambda _, rest=rest: rest()):  # type: ignore[misc]
            done += len(ordered.take(wait=1.0))
    while done < IMAGES:
        done += len(ordered.take(wait=1.0))
    rate = IMAGES / (time.perf_counter() - begin)
    ordered.close()
    return rate


def together(processes: list[Connection]) -> float:
    """Images a second of all processes at once."""
    begin = time.perf_counter()
    for process in processes:
        process.send(IMAGES // CORES)
    for process in processes:
        process.recv()
    return IMAGES / (time.perf_counter() - begin)


def by_itself(pipe: Connection) -> None:
    """A process that processes so many images each time it is asked to."""
    SOLVERS.prepare(COMPILE_SECONDS)
    pipeline, view = Pipeline(CONFIGURATION), beam()
    pipe.send("ready")
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        for _ in range(number):
            pipeline.process(view, PULSE)
        pipe.send(None)


def beam() -> View:
    """The image with its axes."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    tilted = y - 420 + 0.1 * (x - 700)
    counts = 3000 * np.exp(-(((x - 700) / 90) ** 2) / 2 - (tilted / 60) ** 2 / 2)
    image = (counts + np.random.default_rng(1).poisson(50, SHAPE)).astype(np.uint16)
    return View(image, counted(SHAPE[1]), counted(SHAPE[0]))


def rate(run: Callable[[], Any]) -> Callable[[], float]:
    """Images a second of CPU time."""

    def measured() -> float:
        begin = time.thread_time()
        for _ in range(REPEATS):
            run()
        return REPEATS / (time.thread_time() - begin)

    return measured
