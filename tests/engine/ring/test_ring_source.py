"""The ring buffer as a source, against a producer written from the contract alone."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.messages.test_blosc2 import chunk_of
from tests.engine.ring.peers import (
    BITSHUFFLE,
    BLOSC2,
    DTYPES,
    MISSING_PACKETS,
    Producer,
    image,
    message,
    run_producer,
    tidy,
    unique_name,
)
from tests.sockets import keeping_context
from tests.waiting import until

from repstream.errors import MalformedMessage, Refused
from repstream.messages import formats
from repstream.messages.compression import compress
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of
from repstream.parameters.source import SourceConfig
from repstream.sources import ring_buffer
from repstream.sources.opening import open_source
from repstream.sources.ring_buffer import RingBufferSource
from repstream.sources.ring_image import settled
from repstream.sources.ring_memory import RingMemory
from repstream.sources.source import NEVER

SHAPE, SLOTS = (30, 40), 16
PATIENCE = 20.0


@contextmanager
def reading(name: str, slots: int = SLOTS) -> Iterator[RingBufferSource]:
    with keeping_context() as context:
        source: Any = open_source(SourceConfig(address=f"ring://{name}", ring_slots=slots), context)
        try:
            yield source
        finally:
            source.close()


@contextmanager
def producing(name: str, dtype: str = "uint16", slots: int = SLOTS) -> Iterator[Producer]:
    producer = Producer(name, SHAPE, dtype, slots)
    try:
        yield producer
    finally:
        producer.vanish()


@contextmanager
def pair(name: str, dtype: str = "uint16", slots: int = SLOTS) -> Iterator[tuple[Producer, RingBufferSource]]:
    with producing(name, dtype, slots) as producer, reading(name, slots) as source:
        producer.wait_for_consumer()
        yield producer, source


def heard(source: RingBufferSource, image_id: int) -> None:
    """Wait until the metadata of this image have arrived."""

    def is_there() -> bool:
        source.update()
        return source._newest == image_id

    until(is_there, f"the metadata of {image_id}")


def take(source: RingBufferSource) -> Sequence[Any]:
    end = time.monotonic() + PATIENCE
    while (parts := source.receive(patient=True)) is None:
        assert time.monotonic() < end, "no message came"
        source.update()
    return parts


def frame(parts: Sequence[Any]) -> Frame:
    found = settled(formats.decode(parts))
    assert found is not None
    return found


def rest(source: RingBufferSource) -> list[Frame]:
    """All that waits."""
    frames = [settled(formats.decode(parts)) for parts in iter(source.receive, None)]
    return [found for found in frames if found is not None]


@pytest.mark.parametrize("dtype", DTYPES)
def test_images_of_every_type_come_as_they_are(ring: str, dtype: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 120, SHAPE).astype(dtype)
    with pair(ring, dtype) as (producer, source):
        producer.put(5, pixels.tobytes())
        found = frame(take(source))
        assert (found.frame_id, found.shape, found.dtype) == (5, SHAPE, dtype)
        np.testing.assert_array_equal(array_of(found), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_compressed_slot_comes_as_it_is(ring: str, dtype: str) -> None:
    pixels = np.arange(1200).reshape(SHAPE).astype(dtype)
    packed = bytes(compress(pixels.tobytes(), pixels.itemsize))
    with pair(ring, dtype) as (producer, source):
        producer.put(3, packed, compression=BITSHUFFLE, size=len(packed), extra={10: message({1: 17})})
        found = frame(take(source))
        assert (found.frame_id, found.encoding, bytes(found.payloads[0])) == (3, "bitshuffle_lz4", packed)
        np.testing.assert_array_equal(array_of(found), pixels)
        assert formats.attributes(found)["exptime"] == 17


def test_a_chunk_of_blosc2_is_unpacked(ring: str) -> None:
    with pair(ring) as (producer, source):
        for number in range(3):
            chunk = chunk_of(image(number, SHAPE, "uint16")).tobytes()
            producer.put(number, chunk, compression=BLOSC2, size=len(chunk), extra={10: message({1: 17})})
        for number in range(3):
            found = frame(take(source))
            assert (found.frame_id, found.encoding, found.format) == (number, "", "array-1.0")
            np.testing.assert_array_equal(array_of(found), image(number, SHAPE, "uint16"))
            assert formats.attributes(found)["exptime"] == 17


def test_an_image_with_missing_packets_is_kept_and_marked(ring: str) -> None:
    with pair(ring) as (producer, source):
        producer.put(0, image(0, SHAPE, "uint16").tobytes())
        producer.put(1, image(1, SHAPE, "uint16").tobytes(), status=MISSING_PACKETS, size=1000)
        whole, broken = frame(take(source)), frame(take(source))
    assert broken.payloads[0].nbytes == whole.payloads[0].nbytes
    marks = [(a["image_status"], a["image_is_complete"]) for a in map(formats.attributes, (whole, broken))]
    assert marks == [(1, True), (2, False)]


def test_the_detectors_own_fields_become_attributes(ring: str) -> None:
    with pair(ring) as (producer, source):
        gigafrost = message({1: 7, 2: 8, 3: 9, 4: 2**63, 5: 11, 6: 1})
        producer.put(1, image(1, SHAPE, "uint16").tobytes(), extra={8: gigafrost})
        found = formats.attributes(frame(take(source)))
    names = ("scan_id", "scan_time", "sync_time", "frame_timestamp", "exposure_time", "store_image")
    assert [found[name] for name in names] == [7, 8, 9, 2**63, 11, True]


def test_images_that_were_written_over_are_left_out(ring: str) -> None:
    with pair(ring) as (producer, source):
        for i in range(2 * SLOTS):
            producer.put(i, image(i, SHAPE, "uint16").tobytes())
        heard(source, 2 * SLOTS - 1)
        found = rest(source)
    # Of 16 slots 2 are too near to where the producer writes next.
    assert [one.frame_id for one in found] == list(range(SLOTS + 2, 2 * SLOTS))
    for one in found:
        np.testing.assert_array_equal(array_of(one), image(one.frame_id, SHAPE, "uint16"))


def test_an_image_that_is_written_over_while_it_is_read_is_left_out(
    ring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_into = RingMemory.read_into
    with pair(ring) as (producer, source):
        producer.put(0, image(0, SHAPE, "uint16").tobytes())
        heard(source, 0)
        torn = []

        def laps(ring: RingMemory, memory: memoryview, offset: int) -> bool:
            half = memory.nbytes // 2
            whole = read_into(ring, memory[:half], offset)
            for i in range(1, SLOTS + 1):
                producer.put(i, image(i, SHAPE, "uint16").tobytes())
            heard(source, SLOTS)
            whole = read_into(ring, memory[half:], offset + half) and whole
            torn.append(len(set(bytes(memory))))
            monkeypatch.setattr(RingMemory, "read_into", read_into)
            return whole

        monkeypatch.setattr(RingMemory, "read_into", laps)
        found = rest(source)
    assert torn == [2]  # one half of image 0, the other of image 16
    assert [one.frame_id for one in found] == list(range(3, SLOTS + 1))


def test_no_torn_image_comes_from_a_producer_that_laps_at_will(ring: str) -> None:
    slots, images = 512, 3000

    def lapped() -> bool:
        """Whether the slot of the next image holds a later one, or none will come there."""
        memory = np.memmap(f"/dev/shm/{ring}", "uint32", "r", shape=(slots, *SHAPE))
        after = ids[-1] + 1
        return after + slots >= images or memory[after % slots, -1, -1] > after

    spawned = multiprocessing.get_context("spawn")
    going = spawned.Process(target=run_producer, args=(ring, SHAPE, slots, images, 0.0005))
    going.start()
    ids = list[int]()
    try:
        with reading(ring, slots) as source:
            end = time.monotonic() + 3 * PATIENCE
            while not ids or ids[-1] < images - 1:
                assert time.monotonic() < end, "the last image did not come"
                source.update()
                if (parts := source.receive(patient=True)) is not None:
                    found = settled(formats.decode(parts))
                    if found is None:
                        continue
                    assert (array_of(found) == found.frame_id).all(), found.frame_id
                    ids.append(found.frame_id)
                    if len(ids) % 500 == 0:
                        until(lapped, "the producer to be a lap ahead")
    finally:
        going.join(PATIENCE)
    assert ids == sorted(set(ids))
    assert 500 <= len(ids) < images - ids[0]


def test_a_copy_stays_while_the_ring_goes_on(ring: str) -> None:
    with pair(ring) as (producer, source):
        producer.put(1, image(1, SHAPE, "uint16").tobytes())
        held = frame(take(source))
        for i in range(2, 40):
            producer.put(i, image(i, SHAPE, "uint16").tobytes())
            assert array_of(frame(take(source)))[0, 0] == i
        np.testing.assert_array_equal(array_of(held), image(1, SHAPE, "uint16"))
        assert len(source._copies) <= 2  # each was given back, and used again


def test_what_waits_here_keeps_the_source_readable(ring: str) -> None:
    with pair(ring) as (producer, source):
        for i in range(3):
            producer.put(i, image(i, SHAPE, "uint16").tobytes())
        heard(source, 2)
        for _ in range(3):
            assert zmq.zmq_poll([(source.pollable, zmq.POLLIN)], 0)
            assert source.receive() is not None
        assert not zmq.zmq_poll([(source.pollable, zmq.POLLIN)], 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"height": 31, "size": 31 * 40 * 2}, None),  # still within the same 2 MiB: a ring has no header
        ({"height": 100_000, "size": 100_000 * 80}, "source.ring_slots"),
        ({"height": 2**40, "width": 2**20, "size": 2**61}, "source.ring_slots"),
        ({"size": 7}, "size is 7"),
        ({"dtype": 0}, "dtype"),
        ({"dtype": 99}, "dtype"),
        ({"compression": BLOSC2}, "no chunk of Blosc2"),
        ({"compression": BITSHUFFLE, "size": 2000}, "prefix"),
    ],
)
def test_metadata_that_cannot_be_right_are_malformed(
    ring: str, fields: dict[str, int], reason: str | None
) -> None:
    with pair(ring) as (producer, source):
        producer.put(4, image(4, SHAPE, "uint16").tobytes(), **fields)
        parts = take(source)
        if reason is None:
            assert frame(parts).shape == (fields["height"], SHAPE[1])
        else:
            with pytest.raises(MalformedMessage, match=reason):
                frame(parts)
        producer.put(5, image(5, SHAPE, "uint16").tobytes())
        assert frame(take(source)).frame_id == 5


def test_a_message_that_is_no_metadata_is_malformed(ring: str) -> None:
    with pair(ring) as (producer, source):
        producer.socket.send_multipart([b'{"htype":"array-1.0","shape":[1],"type":"uint8","frame":1}', b"1"])
        with pytest.raises(MalformedMessage, match="std_daq_metadata"):
            frame(take(source))


def test_a_ring_that_was_cut_is_read_no_further(ring: str) -> None:
    with pair(ring) as (producer, source):
        producer.put(0, image(0, SHAPE, "uint16").tobytes())
        heard(source, 0)
        os.truncate(producer.path, 100)
        with pytest.raises(MalformedMessage, match="the ring has 100 bytes"):
            frame(take(source))


numbers = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 200), st.just(2**63))


@settings(max_examples=30)
@given(
    lies=st.lists(
        st.tuples(
            numbers, numbers, numbers, numbers, st.sampled_from([0, 1, 2, 8, 28, 99]), st.integers(0, 3)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_a_producer_says_only_the_ring_is_read(
    lies: list[tuple[int, int, int, int, int, int]],
) -> None:
    name = unique_name()
    ring_size = 2 << 20
    try:
        with pair(name) as (producer, source):
            for image_id, height, width, size, dtype, compression in lies:
                producer.publish(
                    image_id, height=height, width=width, size=size, dtype=dtype, compression=compression
                )
            producer.publish(0, dtype=77)
            while True:
                parts = take(source)
                assert sum(memoryview(part).nbytes for part in parts[1:]) <= ring_size
                try:
                    found = frame(parts)
                except MalformedMessage as error:
                    if "dtype 77" in str(error):
                        break
                else:
                    assert found.nbytes <= ring_size + 4096
    finally:
        tidy(name)


def test_it_heals_when_the_producer_vanishes_and_returns(ring: str) -> None:
    with reading(ring) as source:
        source.update()
        assert not source.connected
        assert "shared memory" in source.problem
        for turn in range(3):
            with producing(ring) as producer:
                producer.wait_for_consumer()
                source.update()
                first = 100 * turn
                producer.put(first, image(first + 1, SHAPE, "uint16").tobytes())
                # What comes together with a new ring may be of the old one, and is left out.
                while (parts := source.receive(patient=True)) is None:
                    source.update()
                    first += 1
                    producer.put(first, image(first + 1, SHAPE, "uint16").tobytes())
                assert source.connected
                found = frame(parts)
                np.testing.assert_array_equal(array_of(found), image(found.frame_id + 1, SHAPE, "uint16"))
            until(lambda: (source.update(), not source.connected)[1], "the producer's end")


def test_a_ring_that_comes_while_metadata_are_awaited_is_found(
    ring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(ring) as source, producing(ring) as producer:
        producer.wait_for_consumer()
        assert not source._memory.is_open
        producer.put(3, image(3, SHAPE, "uint16").tobytes())
        follow, looks = source._follow, []

        def late() -> bool:
            looks.append(1)
            return follow() if len(looks) > 1 else True

        monkeypatch.setattr(source, "_follow", late)  # the first look finds nothing
        source._metadata.pollable.poll(20_000)
        assert frame(source.receive() or []).frame_id == 3


def test_a_numbering_that_begins_anew_in_the_same_ring_goes_on(ring: str) -> None:
    with pair(ring) as (producer, source):
        for i in (500, 501, 0, 1):
            producer.put(i, image(i, SHAPE, "uint16").tobytes())
        heard(source, 1)
        assert [one.frame_id for one in rest(source)] == [0, 1]


def test_the_newest_of_a_pile_after_a_pause_is_not_believed(
    ring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pair(ring, slots=400) as (producer, source):
        for i in range(200):
            producer.put(i, image(i, SHAPE, "uint16").tobytes())
        until(lambda: source._metadata.pollable.poll(0), "metadata")
        time.sleep(0.2)
        monkeypatch.setattr(source, "_looked", source._looked - 60)
        assert source.receive() is None
        heard_any = source._newest
        assert heard_any is not None
        producer.put(300, image(300, SHAPE, "uint16").tobytes())
        heard(source, 300)
        assert all(array_of(one)[0, 0] == one.frame_id % 120 for one in rest(source))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 91])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    config = SourceConfig().model_copy(update={"address": f"ring://{name}"})
    with keeping_context() as context, pytest.raises(Refused, match=r"source\.address.*names no ring buffer"):
        open_source(config, context)


def test_nothing_stays_open(ring: str) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pair(ring) as (producer, source):
        producer.put(1, image(1, SHAPE, "uint16").tobytes())
        take(source)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_the_ring_is_looked_at_soon_while_somebody_may_judge(
    ring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pair(ring) as (producer, source):
        assert source.due == NEVER
        producer.put(0, image(0, SHAPE, "uint16").tobytes())
        view = take(source)
        assert source.due <= ring_buffer.LOOK_SECONDS
        time.sleep(ring_buffer.LOOK_SECONDS)
        assert source.due == 0.0
        source.update()
        assert source.due > 0.0
        monkeypatch.setattr(ring_buffer, "JUDGE_SECONDS", 0.0)
        source.update()
        assert source.due <= ring_buffer.LOOK_SECONDS, "it is still read"
        del view
        source.update()
        assert source.due == NEVER


def test_a_ring_that_is_still_read_lets_its_context_end(ring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    with producing(ring) as producer:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        source: Any = open_source(SourceConfig(address=f"ring://{ring}", ring_slots=SLOTS), context)
        producer.wait_for_consumer()
        producer.put(0, image(0, SHAPE, "uint16").tobytes())
        view = take(source)
        source.close()
        ending = threading.Thread(target=context.term, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        assert not ending.is_alive()
        del view
        until(lambda: "ring" not in [thread.name for thread in threading.enumerate()], "the ring's end")
    assert not faults
