"""From a ring buffer into files and streams, against bare loops that read the same ring.

A run is a burst: the images lie in the ring, and all of their metadata are published at once. *Files*: the
standard DAQ's N writers with their metadata and the dataset over them, from the first image to the closed
files on the disk, against N processes that write the same bytes with `pwrite` alone, sync and close.
*Stream*: every image to one PUSH, against a loop that takes the metadata, reads the image and sends it.
"""

from __future__ import annotations

import mmap
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from benchmarks import ceilings, plane
from benchmarks.ceilings import Output
from benchmarks.loads import SIZES, Load
from benchmarks.pairs import Contenders, Run, child, compare_starts, free_addresses
from benchmarks.report import Row
from benchmarks.writer import all_on_used_memory, folders, work_folder
from repstream.dataplane import control
from repstream.dataplane.ring_segment import RingSegment
from repstream.dataplane.storing.part import write_part
from repstream.dataplane.storing.part_service import PartService
from repstream.garbage_collection import spare_frames
from repstream.messages import array_1_0, std_daq_metadata
from repstream.messages.std_daq_metadata import ImageMetadata
from repstream.messages.std_daq_schema import ImageMetadata as WireMetadata
from repstream.sources.ring_layout import metadata_path, segment_path
from repstream.states import AcquisitionState

TARGET = 0.9
WRITERS = (1, 2)
COUNTS = {"0.5 MB": 8_000, "4.8 MB": 800}
"""4 GB, one to two seconds of writing: what an acquisition costs once, some 0.1 s, counts too."""

STREAMED = {"0.5 MB": 2_000, "4.8 MB": 400}
HEADER = array_1_0.gigafrost_header(0, (1, 1))


def slots(load: Load) -> int:
    """So many that no image of a run is in danger, nor has waited for long."""
    return 2 * load.count + 2


def producer(load: Load, name: str, pipe: Connection) -> None:
    """Owns the ring; publishes as many images as it is asked for, from id 0 on each time."""
    segment = RingSegment(name, slots(load), "ring")
    segment.fit(load.nbytes)
    image = memoryview(os.urandom(load.nbytes))
    for number in range(load.count):
        segment.write(number, image)
    height, width = load.shape
    messages = [
        std_daq_metadata.encode(ImageMetadata(number, height, width, load.nbytes, "uint16"))[0]
        for number in range(load.count)
    ]
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.set_hwm(0)
        publisher.linger = 0
        publisher.bind(f"ipc://{metadata_path(name)}")
        pipe.send("ready")
        try:
            while pipe.recv():
                for message in messages:
                    publisher.send(message)
        finally:
            segment.remove()


def mapped(name: str) -> memoryview:
    """The memory of a ring."""
    with segment_path(name).open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))


def pwriter(load: Load, name: str, share: tuple[int, int], folder: str, pipe: Connection) -> None:
    """Writes every nth image of the ring into a file; says when it began and ended.

    `share`: number of this writer, and of all.
    """
    number, writers = share
    ring, path = mapped(name), Path(folder) / f"raw{number}"
    pipe.send("ready")
    while pipe.recv():
        begin = time.monotonic()
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        for place, image in enumerate(range(number, load.count, writers)):
            os.pwrite(fd, ring[image * load.nbytes : (image + 1) * load.nbytes], place * load.nbytes)
        os.fsync(fd)
        os.close(fd)
        end = time.monotonic()
        # Before the answer: to free the memory of a file takes a core for a good part of the next run.
        path.unlink()
        pipe.send((begin, end))


def part_service(path: str, pipe: Connection) -> None:
    """What std_det_writer does."""
    spare_frames()
    service = PartService(Path(path), write_part)
    pipe.send("ready")
    try:
        pipe.recv()
    finally:
        service.close()


def sending_loop(load: Load, name: str, address: str, pipe: Connection) -> None:
    """Takes the metadata of each image, reads it and sends it, until the parent ends it."""
    context: Any = zmq.Context(io_threads=2)
    metadata, out = context.socket(zmq.SUB), context.socket(zmq.PUSH)
    metadata.set_hwm(0)
    metadata.subscribe(b"")
    metadata.connect(f"ipc://{metadata_path(name)}")
    out.sndhwm = load.hwm
    out.bind(address)
    fd = os.open(segment_path(name), os.O_RDONLY)
    pipe.send("ready")
    while True:
        image = WireMetadata.FromString(metadata.recv()).image_id
        data = os.pread(fd, load.nbytes, image * load.nbytes)
        out.send_multipart([HEADER, data], copy=False)


class Writing:
    """N writers of ours. `run` is one acquisition, and gives its rate."""

    def __init__(
        self, load: Load, asked: plane.Plane, source: Connection, folder: Path, writers: int
    ) -> None:
        self._load, self._plane, self._source, self._folder = load, asked, source, folder
        self._writers, self._number = writers, 0

    def run(self) -> float:
        count, asked = self._load.count, self._plane
        asked.forget()
        self._number += 1
        plan = control.AcquisitionPlan(
            acquisition_id=f"1700000000000-{self._number}",
            run_id="benchmark",
            path=str(self._folder / f"run{self._number}_.h5"),
            detector_name="detector",
            num_images=count,
            compression="none",
            overwrite=False,
            user_id=0,
            attributes={"start_time": 1.7e9},
            number_of_parts=self._writers,
            part_names="std_daq",
            in_parts=True,
            part_services=f"{self._folder}/writer-",
        )
        asked.ask(control.Arm, slot=1, plan=plan, frames=0)
        asked.acquisition(AcquisitionState.WAITING_IMAGES)
        self._source.send(count)
        begin = asked.acquisition(AcquisitionState.ACQUIRING_IMAGES).time
        end = asked.acquisition(AcquisitionState.FINISHED)
        assert end.report.ledger.sent == count, end.report.ledger
        for path in self._folder.glob(f"run{self._number}_*"):
            path.unlink()
        return (count - 1) / (end.time - begin)


class PlainWriting:
    """N processes that write the same bytes; `run` as that of `Writing`."""

    def __init__(self, load: Load, pipes: Sequence[Connection]) -> None:
        self._load, self._pipes = load, pipes

    def run(self) -> float:
        for pipe in self._pipes:
            pipe.send(True)
        begun, ended = zip(*(pipe.recv() for pipe in self._pipes), strict=True)
        return self._load.count / float(max(ended) - min(begun))


@contextmanager
def beside_pwrite(load: Load, storage: Path, writers: int) -> Iterator[Contenders]:
    """Writers of ours and plain ones."""
    name = f"repstream-bench-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder(storage))
        source = stack.enter_context(child(producer, load, name))
        configuration = {
            "source": {"address": f"ring://{name}", "ring_slots": slots(load)},
            "writers": {"main": {"folder": str(folder)}},
        }
        asked = stack.enter_context(plane.running(configuration))
        asked.next(control.Report, lambda report: report.source.connected)
        for number in range(writers):
            stack.enter_context(child(part_service, f"{folder}/writer-{number}"))
        ours = Writing(load, asked, source, folder, writers)
        pipes = [
            stack.enter_context(child(pwriter, load, name, (number, writers), str(folder)))
            for number in range(writers)
        ]
        theirs = PlainWriting(load, pipes)
        stack.callback(remove, name)
        peers = {f"pwrite by {writers}": theirs.run}
        yield all_on_used_memory(ours.run, peers, folder, load)


def remove(name: str) -> None:
    """What a producer that is killed leaves."""
    segment_path(name).unlink(missing_ok=True)
    metadata_path(name).unlink(missing_ok=True)


@contextmanager
def beside_loop(load: Load) -> Iterator[Contenders]:
    """A stream of ours and a bare loop, each with a ring of its own."""
    with ExitStack() as stack:
        contenders: list[Run] = []
        for own in (True, False):
            name = f"repstream-bench-{uuid.uuid4().hex[:8]}"
            stack.callback(remove, name)
            (address,) = free_addresses(1)
            source = stack.enter_context(child(producer, load, name))
            if own:
                # As much as the loop's socket holds: a queue would take memory never used before.
                stream = {"address": address, "mode": "PUSH", "on_slow": "block", "buffer_memory": 32}
                configuration: Mapping[str, Any] = {
                    "source": {"address": f"ring://{name}", "ring_slots": slots(load)},
                    "streams": {"all": stream},
                }
                asked = stack.enter_context(plane.running(dict(configuration)))
                asked.next(control.Report, lambda report: report.source.connected)
            else:
                stack.enter_context(child(sending_loop, load, name, address))
            sink = stack.enter_context(child(ceilings.sink, load, [Output(address, zmq.PUSH)]))
            contenders.append(partial(sent, load.count, source, sink))
        time.sleep(0.5)  # subscriptions are on their way
        yield contenders[0], {"bare loop": contenders[1]}


def sent(count: int, source: Connection, sink: Connection) -> float:
    sink.send(count)
    source.send(count)
    return float(sink.recv())


def rings(rounds: int) -> Iterator[Row]:
    """A ring into the files of N writers, and into a stream."""
    for size, count in COUNTS.items():
        load = Load(SIZES[size].shape, count)
        for where, storage in folders().items():
            for writers in WRITERS:
                start = partial(beside_pwrite, load, storage, writers)
                what = f"{size} → {writers} writer{'s' * (writers > 1)}, {where}"
                yield Row(what, TARGET, compare_starts(start, rounds))
        load = Load(SIZES[size].shape, STREAMED[size])
        yield Row(f"{size} → stream", TARGET, compare_starts(partial(beside_loop, load), rounds))
