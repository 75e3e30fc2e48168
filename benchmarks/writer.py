"""Receiving into HDF5 files against receiving and a plain `pwrite` of the payload, in one thread.

Two figures for each size. *Known*: a whole acquisition, from its first image to the closed file
with its name on the disk, against the loop until its file has been synced and closed. *Unknown*: the
rate at which images get into a file that goes on, against the loop until its last `pwrite`. The
data plane does this with no stream; it decodes, checks and accounts for every message, and the file
is readable throughout.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import ceilings, plane
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, Run, child, compare_starts, free_addresses
from benchmarks.report import Row
from repstream.dataplane import control
from repstream.states import AcquisitionState

RATIOS: dict[str, tuple[float, float | None]] = {
    "4 kB": (0.8, None),
    "123 kB": (0.9, 0.85),
    "0.5 MB": (0.9, 0.85),
    "4.8 MB": (0.9, 0.85),
    "8.1 MB": (0.9, 0.85),
}
"""What is to be reached by the size of the images: (number known, number unknown)."""

PEERS = {"pwrite, received without copying": False, "pwrite, received with copying": True}

COUNTS = {"4 kB": 30_000, "123 kB": 2_500, "0.5 MB": 800, "4.8 MB": 80, "8.1 MB": 50}
"""At most 0.5 GB, so that it stays in the page cache."""

LONGER = 3
"""How many times as long a run without an end is, which is timed by ten reports a second."""


def folders() -> dict[str, Path]:
    """The storages at hand: that of temporary files, and memory."""
    found = {"disk": Path(tempfile.gettempdir())}
    if os.access("/dev/shm", os.W_OK):
        found["tmpfs"] = Path("/dev/shm")
    return found


QUEUE_BYTES = 512 << 20
"""What a writer keeps in its queue at most, by default."""


def on_used_memory(run: Run, folder: Path, nbytes: int) -> Run:
    """Let each run find memory for a file of `nbytes` bytes and a queue that was in use a moment before.

    A virtual machine may have given its free memory back to the host. Then the first touch of a
    page takes ten times as long as filling it, and who comes first pays for all.
    """
    filler = bytes(4 << 20)

    def run_then() -> float:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            for _ in range(0, nbytes + QUEUE_BYTES, len(filler)):
                file.write(filler)
        return run()

    return run_then


def all_on_used_memory(ours: Run, peers: Mapping[str, Run], folder: Path, load: Load) -> Contenders:
    """Runs of a load that go through memory and into files in `folder`."""
    nbytes = load.nbytes * load.count
    warm = {name: on_used_memory(run, folder, nbytes) for name, run in peers.items()}
    return on_used_memory(ours, folder, nbytes), warm


class Writing:
    """A data plane with one writer, and the source it listens to. `acquire` and `go_on` return images/s."""

    def __init__(
        self, load: Load, folder: Path, asked: plane.Plane, source: Connection, packing: str
    ) -> None:
        self._load = load
        self._folder = folder
        self._plane = asked
        self._source = source
        self._packing = packing
        self._number = 0

    def acquire(self) -> float:
        """A whole acquisition of a known number of images."""
        count = self._load.count
        path = self._arm(count)
        self._source.send(count)
        begin = self._plane.acquisition(AcquisitionState.ACQUIRING_IMAGES).time
        end = self._plane.acquisition(AcquisitionState.FINISHED)
        self._source.recv()
        path.unlink()
        assert end.report.ledger.sent == count, end.report.ledger
        return (count - 1) / (end.time - begin)

    def go_on(self) -> float:
        """An acquisition without an end, as long as images come; the rate between two reports."""
        count = self._load.count
        path = self._arm(0)
        self._source.send(count)
        self._plane.acquisition(AcquisitionState.ACQUIRING_IMAGES)
        reports = [self._written(1)]
        while (report := self._written(1)).writers[1].ledger.sent < count:
            reports.append(report)
        # The last report came at some time after the last image, so it counts only where it must.
        if len(reports) < 3:
            reports.append(report)
        first, last = reports[0], reports[-1]
        self._source.recv()
        self._plane.ask(control.End, slot=1, discard=False)
        self._plane.acquisition(AcquisitionState.FINISHED)
        path.unlink()
        frames = last.writers[1].ledger.sent - first.writers[1].ledger.sent
        return frames / (last.time - first.time)

    def _written(self, least: int) -> control.Report:
        return self._plane.next(control.Report, lambda report: report.writers[1].ledger.sent >= least)

    def _arm(self, num_images: int) -> Path:
        self._plane.forget()
        self._number += 1
        path = self._folder / f"{self._number}.h5"
        plan = control.AcquisitionPlan(
            acquisition_id=f"1700000000000-{self._number}",
            run_id="benchmark",
            path=str(path),
            detector_name="detector",
            num_images=num_images,
            compression=self._packing,
            overwrite=False,
            user_id=0,
            attributes={"start_time": 1.7e9},
        )
        self._plane.ask(control.Arm, slot=1, plan=plan, frames=0)
        self._plane.acquisition(AcquisitionState.WAITING_IMAGES)
        return path


@contextmanager
def writing(load: Load, folder: Path, packing: str = "none") -> Iterator[Writing]:
    (address,) = free_addresses(1)
    configuration = {
        "source": plane.source(load, address),
        "writers": {"main": {"folder": str(folder)}},
    }
    with (
        child(ceilings.source, load, address, 0.0) as source,
        plane.running(configuration) as asked,
    ):
        yield Writing(load, folder, asked, source, packing)


class RawWriting:
    """The loop that receives and writes. `closed` and `written` return images/s."""

    def __init__(self, load: Load, source: Connection, loop: Connection) -> None:
        self._load, self._source, self._loop = load, source, loop

    def closed(self) -> float:
        return self._run()[1]

    def written(self) -> float:
        return self._run()[0]

    def _run(self) -> tuple[float, float]:
        self._loop.send(self._load.count)
        self._source.send(self._load.count)
        self._source.recv()
        rates: tuple[float, float] = self._loop.recv()
        return rates


@contextmanager
def raw_writing(load: Load, folder: Path, copy: bool) -> Iterator[RawWriting]:
    (address,) = free_addresses(1)
    with (
        child(ceilings.source, load, address, 0.0) as source,
        child(ceilings.raw_writer, load, address, str(folder / f"raw-{copy}"), copy) as loop,
    ):
        yield RawWriting(load, source, loop)


@contextmanager
def work_folder(storage: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="repstream-bench-", dir=storage))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def beside_pwrite(load: Load, storage: Path, known: bool) -> Iterator[Contenders]:
    """One way of writing, and `pwrite` with and without copying what was received."""
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(storage))
        ours = stack.enter_context(writing(load, folder))
        peers: dict[str, Run] = {}
        for name, copy in PEERS.items():
            raw = stack.enter_context(raw_writing(load, folder, copy))
            peers[name] = raw.closed if known else raw.written
        yield all_on_used_memory(ours.acquire if known else ours.go_on, peers, folder, load)


def uncompressed(rounds: int) -> Iterator[Row]:
    """Raw images into one file."""
    for where, storage in folders().items():
        for size, (known, unknown) in RATIOS.items():
            load = Load(SIZES[size].shape, COUNTS[size])
            measured = compare_starts(partial(beside_pwrite, load, storage, known=True), rounds)
            yield Row(f"{size}, {where}, number known", known, measured)
            if unknown is not None:
                longer = Load(load.shape, LONGER * load.count)
                measured = compare_starts(partial(beside_pwrite, longer, storage, known=False), rounds)
                yield Row(f"{size}, {where}, number unknown", unknown, measured)
