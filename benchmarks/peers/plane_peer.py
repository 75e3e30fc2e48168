"""The data plane of one tree of the project, driven by the benchmarks of that tree.

Runs in the tree's environment with the tree on its path, so it imports nothing that commit 8ad7106
has not. Each line on its input makes one run; the answer is frames a second and CPU seconds a frame.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import lanes, repeater, writer
from benchmarks.loads import SIZES, Load


@contextmanager
def lane(load: Load) -> Iterator[Callable[[], float]]:
    with lanes.lane(load, repeater.DECIMATED, lanes.data_plane) as run:
        yield run


@contextmanager
def acquisitions(load: Load, storage: str) -> Iterator[Callable[[], float]]:
    with writer.work_folder(Path(storage)) as folder, writer.writing(load, folder) as ours:
        yield ours.acquire


def data_plane() -> int:
    """Process id of the data plane, a child of this process."""
    children = Path("/proc/self/task").glob("*/children")
    for child in " ".join(file.read_text() for file in children).split():
        if b"repstream.dataplane.process" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("no data plane runs")


def cpu_seconds(process: int) -> float:
    """CPU time of a process with all its threads, also those that have ended: see clock_getcpuclockid(3)."""
    return time.clock_gettime((~process << 3) | 2)


def main(what: str, size: str, count: str, *storage: str) -> None:
    load = Load(SIZES[size].shape, int(count))
    with {"repeater": lane, "writer": acquisitions}[what](load, *storage) as run:
        process = data_plane()
        print("ready", flush=True)
        for _ in sys.stdin:
            before = cpu_seconds(process)
            rate = run()
            print(rate, (cpu_seconds(process) - before) / load.count, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
