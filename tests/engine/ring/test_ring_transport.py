"""The ring buffer as an output, against a consumer written from the contract alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.ring.peers import BITSHUFFLE, DTYPES, GOOD, MISSING_PACKETS, Consumer, Producer
from tests.sockets import keeping_context

from repstream.dataplane import ring_segment
from repstream.dataplane.outputs import StreamOutput
from repstream.dataplane.ring_segment import RingSegment
from repstream.dataplane.steps import step_of
from repstream.dataplane.transport import open_transport
from repstream.errors import Refused
from repstream.messages import array_1_0, bsread, formats
from repstream.messages.pixels import packed
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig

SHAPE, SLOTS, PATIENCE = (30, 40), 8, 20.0


@contextmanager
def sending(name: str, **fields: Any) -> Iterator[StreamOutput]:
    config = StreamConfig(address=f"ring://{name}", ring_slots=SLOTS, **fields)
    with keeping_context() as context:
        transport = open_transport("live", config, context)
        output = StreamOutput("live", config, transport, step_of(config, WriterConfig))
        try:
            yield output
        finally:
            output.close(0)


@contextmanager
def consuming(output: StreamOutput, name: str, slots: int = SLOTS) -> Iterator[Consumer]:
    consumer = Consumer(name, slots)
    end = time.monotonic() + PATIENCE
    while not output.transport.consumers:
        assert time.monotonic() < end, "the consumer did not connect"
        output.watch()
        time.sleep(0.005)
    # Connected is not yet subscribed.
    while not consumer.socket.poll(20):
        assert time.monotonic() < end, "the consumer did not subscribe"
        offer(output, 0, np.zeros(SHAPE, "uint8"))
    while consumer.socket.poll(200):
        consumer.socket.recv()
    try:
        yield consumer
    finally:
        consumer.close()


def offer(output: StreamOutput, frame_id: int, image: np.ndarray[Any, Any], **extra: Any) -> None:
    output.offer(formats.decode(array_1_0.encode(frame_id, image, **extra)), 0.0)


def pixels(dtype: str, seed: int = 3) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 120, SHAPE).astype(dtype)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_original_consumer_reads_every_type(ring: str, dtype: str, order: str) -> None:
    sent = pixels(dtype)
    with sending(ring) as output, consuming(output, ring) as consumer:
        offer(output, 2**33 + 5, sent.astype(np.dtype(dtype).newbyteorder(order)))
        fields, data = consumer.take()
    assert fields == {1: 2**33 + 5, 2: 30, 3: 40, 4: sent.nbytes, 5: DTYPES[dtype], 6: GOOD}
    np.testing.assert_array_equal(np.frombuffer(data, dtype).reshape(SHAPE), sent)


def test_size_mode_and_place_are_those_of_the_contract(ring: str) -> None:
    image = np.zeros((1024, 1024), "uint16")
    path = Path("/dev/shm") / ring
    with sending(ring) as output:
        offer(output, 0, image)
        offer(output, 9, image + np.uint16(7))
        there = path.stat()
        assert (there.st_size, stat.S_IMODE(there.st_mode)) == (8 * 2 * 1024 * 1024, 0o777)
        assert path.read_bytes()[image.nbytes : image.nbytes + 2] == b"\x07\x00"  # 9 % 8 is slot 1
        assert stat.S_IMODE(Path(f"/tmp/{ring}").stat().st_mode) == 0o777
    assert not path.exists()
    assert not Path(f"/tmp/{ring}").exists()


def test_the_size_is_rounded_up(ring: str) -> None:
    with sending(ring) as output:
        offer(output, 0, np.zeros((1, 1), "uint8"))
        assert (Path("/dev/shm") / ring).stat().st_size == 2 * 1024 * 1024


def test_marks_and_the_detectors_fields_go_on(ring: str) -> None:
    attributes = {"image_status": 2, "scan_id": 1, "scan_time": 2, "sync_time": 3, "frame_timestamp": 4}
    gigafrost = {**attributes, "exposure_time": 5, "store_image": True}
    with sending(ring) as output, consuming(output, ring) as consumer:
        offer(output, 1, pixels("uint16"), image_attributes=gigafrost)
        fields, _ = consumer.take()
        assert (fields[6], fields[8]) == (MISSING_PACKETS, b"\x08\1\x10\2\x18\3\x20\4\x28\5\x30\1")
        offer(output, 2, pixels("uint16"), image_attributes={"image_is_complete": False})
        fields, _ = consumer.take()
        assert (fields[6], fields.keys() & {8, 9, 10, 11}) == (MISSING_PACKETS, set())
        offer(output, 3, pixels("uint16"), exptime=2**64 - 1)
        fields, _ = consumer.take()
        assert fields[10] == b"\x08" + b"\xff" * 9 + b"\x01"


def test_compressed_pixels_stay_compressed(ring: str) -> None:
    sent = np.arange(1200, dtype="uint32").reshape(SHAPE)
    blob = bytes(packed(sent, "bitshuffle_lz4").data)
    message = bsread.encode(7, [bsread.describe("cam", sent, "bitshuffle_lz4")], [sent])
    with sending(ring) as output, consuming(output, ring) as consumer:
        output.offer(formats.decode(message), 0.0)
        fields, data = consumer.take()
    assert (fields[4], fields[7], data) == (len(blob), BITSHUFFLE, blob)
    assert fields.keys() & {8, 9, 10, 11} == set()


def test_what_a_ring_cannot_carry_is_dropped_and_counted(ring: str) -> None:
    with sending(ring) as output:
        offer(output, 1, np.zeros(5, "uint8"))
        two = array_1_0.encode(2, pixels("uint8"), pixels("uint8"))
        output.offer(formats.decode(two), 0.0)
        offer(output, 3, pixels("uint8"))
        ledger = output.report().ledger
    assert (ledger.sent, dict(ledger.dropped)) == (1, {"format": 2})


def test_images_of_another_size_get_a_new_ring(ring: str) -> None:
    path = Path("/dev/shm") / ring
    with sending(ring) as output:
        offer(output, 0, np.zeros((1024, 1024), "uint8"))
        with path.open("rb") as mapped:
            first = path.stat()
            offer(output, 1, np.zeros((1024, 1024), "uint16"))
            assert path.stat().st_ino != first.st_ino
            assert path.stat().st_size == 2 * first.st_size
            assert os.fstat(mapped.fileno()).st_size == first.st_size  # who has it mapped keeps it


def test_without_memory_frames_wait_and_are_dropped_by_the_queues_rule(
    ring: str, caplog: pytest.LogCaptureFixture
) -> None:
    huge = StreamConfig(address=f"ring://{ring}", ring_slots=1_000_000, buffer_size=2)
    with keeping_context() as context:
        output = StreamOutput(
            "live", huge, open_transport("live", huge, context), step_of(huge, WriterConfig)
        )
        try:
            for i in range(5):
                offer(output, i, np.zeros((4096, 4096), "float64"))
            ledger = output.report().ledger
        finally:
            output.close(0)
    assert (ledger.sent, ledger.queued, dict(ledger.dropped)) == (0, 2, {"queue": 3})
    assert caplog.text.count("takes no images") == 1


def test_a_ring_that_lives_is_refused_and_left_alone(ring: str) -> None:
    with sending(ring) as output, consuming(output, ring) as consumer:
        with pytest.raises(Refused, match=r"streams\.live\.address.*another process"), sending(ring):
            pass
        offer(output, 1, pixels("uint16"))
        assert consumer.take()[0][1] == 1
    with sending(ring):
        pass


def test_an_originals_ring_that_lives_is_refused_and_left_alone(ring: str) -> None:
    producer = Producer(ring, SHAPE, "uint16", SLOTS)
    consumer = Consumer(ring, SLOTS)
    producer.wait_for_consumer()
    try:
        with pytest.raises(Refused, match="publishes the metadata"), sending(ring):
            pass
        producer.put(3, pixels("uint16").tobytes())
        assert consumer.take()[0][1] == 3
    finally:
        consumer.close()
        producer.vanish()


def test_a_lock_alone_says_that_a_ring_lives(ring: str) -> None:
    segment = RingSegment(ring, SLOTS, "x")
    with pytest.raises(Refused, match="belongs to another process that lives"):
        RingSegment(ring, SLOTS, "x")
    segment.remove()
    RingSegment(ring, SLOTS, "x").remove()
    assert not (Path("/dev/shm") / ring).exists()


def hold(name: str, ready: Any) -> None:
    with sending(name) as output:
        offer(output, 0, pixels("uint16"))
        ready.set()
        time.sleep(60)


def test_what_a_killed_owner_left_is_replaced(ring: str) -> None:
    spawned = multiprocessing.get_context("spawn")
    ready = spawned.Event()
    owner = spawned.Process(target=hold, args=(ring, ready))
    owner.start()
    assert ready.wait(PATIENCE)
    with pytest.raises(Refused), sending(ring):
        pass
    os.kill(owner.pid or 0, signal.SIGKILL)
    owner.join(PATIENCE)
    left = (Path("/dev/shm") / ring).stat()
    assert Path(f"/tmp/{ring}").exists()
    with sending(ring) as output, consuming(output, ring) as consumer:
        assert (Path("/dev/shm") / ring).stat().st_ino != left.st_ino
        offer(output, 4, pixels("uint8"))
        assert consumer.take()[0][1] == 4


def test_a_file_in_the_way_is_left_alone(ring: str) -> None:
    Path(f"/tmp/{ring}").write_text("precious")
    with pytest.raises(Refused, match="is in the way"), sending(ring):
        pass
    assert Path(f"/tmp/{ring}").read_text() == "precious"
    assert not (Path("/dev/shm") / ring).exists()


def test_a_link_is_not_followed(ring: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (Path("/dev/shm") / ring).symlink_to(target)
    with pytest.raises(Refused, match="cannot make the ring"), sending(ring):
        pass
    assert target.read_text() == "precious"


def test_a_rewritten_header_is_refused(ring: str) -> None:
    with pytest.raises(Refused, match=r"streams\.live\.header"), sending(ring, header="std_det_writer"):
        pass
    assert not ring_segment.segment_path(ring).exists()
