"""Streams in another format than the input: read by the original libraries, and converted beside the loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import mflow
import numpy as np
import pytest
import zmq
from tests.engine.dataplane.bench import Parts, configuration, image, message, receive, send
from tests.engine.dataplane.bench import Plane as Bench
from tests.engine.dataplane.conftest import Opener
from tests.engine.dataplane.test_input_formats import SERIES, dimage, pulse
from tests.ports import free_port

from repstream.dataplane.reused_memory import ReusedMemory
from repstream.messages import dectris_v2, formats, std_daq_frame
from repstream.messages.conversion import Bsread
from repstream.messages.pixels import array_of, packed
from repstream.messages.std_daq_metadata import ImageMetadata
from repstream.parameters.stream import StreamConfig

Address = Callable[[str], str]

SHAPE = (40, 60)


def stream(address: str, **settings: Any) -> dict[str, Any]:
    return {"address": address, "format": "bsread", **settings}


def images_of(messages: list[Parts]) -> list[Any]:
    return [array_of(formats.decode(parts)) for parts in messages]


def ring_image(frame_id: int) -> Parts:
    """What the ring buffer source makes of a compressed image."""
    blob = packed(image(frame_id, SHAPE), "bitshuffle_lz4").data
    metadata = ImageMetadata(frame_id, *SHAPE, len(blob), "uint16", compression="h5bitshuffle_lz4")
    return [bytes(part) for part in std_daq_frame.message_of(metadata, memoryview(blob))]


def cbor_image(frame_id: int) -> Parts:
    data = {"threshold_1": packed(image(frame_id, SHAPE), "bitshuffle_lz4")}
    date = datetime.fromtimestamp(1_700_000_000, UTC)
    made = dectris_v2.Image(frame_id, 1, data, start_time=(frame_id, 10**9), series_date=date)
    return dectris_v2.encode_image(made)


INPUTS: dict[str, Callable[[int], Parts]] = {
    "array-1.0": lambda n: message(n, SHAPE, image_attributes={"scan_index": 4, "image_is_complete": True}),
    "DECTRIS v1": lambda n: dimage(n, image(n, SHAPE)),
    "DECTRIS v1, bitshuffle": lambda n: dimage(n, image(n, SHAPE), "bitshuffle_lz4"),
    "DECTRIS v1, lz4": lambda n: dimage(n, image(n, SHAPE), "lz4"),
    "DECTRIS v2": cbor_image,
    "bsread": lambda n: pulse(n, camera=image(n, SHAPE), energy=12.5),
    "ring buffer, bitshuffle": ring_image,
}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"header": "std_det_writer"}, "headers of its own"),
        ({"address": "ring://EG-image"}, "a ring buffer has a format of its own"),
        ({"attribute_channels": "pos"}, "pos:float64|pulse_id:uint64"),
        ({"attribute_channels": "image:int64"}, "is the channel of the image"),
        ({"format": "array-2.0"}, "array-1.0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        StreamConfig(**{"format": "bsread", **settings})


@pytest.mark.parametrize("compression", ["none", "lz4", "bitshuffle_lz4"])
def test_psi_bsread_reads_every_input_pixel_for_pixel(
    plane: Bench, address: Address, peer: Opener, compression: str
) -> None:
    bsread = pytest.importorskip("bsread")
    port = free_port()
    settings = stream(f"tcp://127.0.0.1:{port}", channel="DET:IMAGE", compression=compression)
    assert plane.open(configuration(address("in"), streams={"out": settings})) == ""
    source = peer(zmq.PUSH, bind=address("in"))
    with bsread.Source(host="127.0.0.1", port=port, mode=bsread.PULL, receive_timeout=20_000) as receiver:
        for n, made in enumerate(INPUTS.values()):
            source.send_multipart(made(n))
            found = receiver.receive().data
            assert found.pulse_id == n
            np.testing.assert_array_equal(found.data["DET:IMAGE"].value, image(n, SHAPE))
            if made in (cbor_image, INPUTS["bsread"]):
                assert (found.global_timestamp, found.global_timestamp_offset) == (1_700_000_000, n)
            if made is INPUTS["bsread"]:
                assert found.data["energy"].value == 12.5
            if made is INPUTS["array-1.0"]:
                assert found.data["scan_index"].value == 4
                assert found.data["image_is_complete"].value == 1
                assert abs(found.global_timestamp - time.time()) < 600


def test_mflow_reads_every_input_as_an_array(plane: Bench, address: Address, peer: Opener) -> None:
    out = f"tcp://127.0.0.1:{free_port()}"
    plane.open(configuration(address("in"), streams={"out": {"address": out, "format": "array-1.0"}}))
    source = peer(zmq.PUSH, bind=address("in"))
    receiver = mflow.connect(out, conn_type="connect", mode=mflow.PULL, receive_timeout=20_000)
    for n, made in enumerate(INPUTS.values()):
        source.send_multipart(made(n))
        found = receiver.receive().data
        assert found["header"]["frame"] == n
        np.testing.assert_array_equal(found["data"][0], image(n, SHAPE))
    receiver.disconnect()


def test_what_has_no_image_is_left_out_and_the_sums_add_up(
    plane: Bench, address: Address, peer: Opener
) -> None:
    streams = {"out": stream(address("out"), pulse_id="number")}
    plane.open(configuration(address("in"), streams=streams))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("out"))
    for parts in SERIES["dectris_v1"].messages.values():
        source.send_multipart(parts)
    source.send_multipart(message(3, image_attributes={"number": 77}))
    assert formats.decode(sink.recv_multipart()).frame_id == 77
    report = plane.stream(1, lambda s: s.ledger.offered == 6)
    assert (report.ledger.skipped, report.ledger.dropped) == ({"format": 2}, {"pulse_id": 3})
    assert report.ledger.sent == 1


class SlowFormat:
    """Makes every packing wait until it is let go; `begun` counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.begun = 0
        packs = Bsread.packed

        def wait_and_pack(format: Bsread, frame: Any, memory: Any) -> Any:
            self.begun += 1
            assert self.go.wait(20)
            return packs(format, frame, memory)

        monkeypatch.setattr(Bsread, "packed", wait_and_pack)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowFormat:
    return SlowFormat(monkeypatch)


def test_packing_holds_up_neither_the_input_nor_other_streams(
    plane: Bench, address: Address, peer: Opener, slow: SlowFormat
) -> None:
    streams = {"packed": stream(address("packed"), compression="lz4"), "live": {"address": address("live")}}
    plane.open(configuration(address("in"), streams=streams))
    source = peer(zmq.PUSH, bind=address("in"))
    packed_sink, live = (peer(zmq.PULL, connect=address(name)) for name in ("packed", "live"))
    sent = send(source, range(50), shape=SHAPE)
    assert receive(live, 50) == sent
    ledger = plane.stream(1, lambda s: s.ledger.offered == 50).ledger
    assert (ledger.queued, ledger.sent) == (50, 0)
    slow.go.set()
    received = receive(packed_sink, 50)
    assert [formats.decode(parts).frame_id for parts in received] == list(range(50))
    for n, found in enumerate(images_of(received)):
        np.testing.assert_array_equal(found, image(n, SHAPE))
    assert plane.stream(1, lambda s: s.ledger.sent == 50).ledger.queued == 0


@pytest.mark.parametrize("rule", ["drop_oldest", "drop_newest", "block"])
def test_a_packer_that_is_slow_is_a_consumer_that_is_slow(
    plane: Bench, address: Address, peer: Opener, slow: SlowFormat, rule: str
) -> None:
    settings = stream(address("out"), compression="bitshuffle_lz4", on_slow=rule, buffer_size=3)
    plane.open(configuration(address("in"), streams={"out": settings}))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("out"))
    send(source, range(60), shape=SHAPE)
    if rule == "block":
        plane.stream(1, lambda s: s.blocking)
        slow.go.set()
        assert [formats.decode(parts).frame_id for parts in receive(sink, 60)] == list(range(60))
        return
    ledger = plane.stream(1, lambda s: s.ledger.offered == 60).ledger
    left = ledger.queued
    assert ledger.dropped == {"queue": 60 - left}
    slow.go.set()
    ids = [formats.decode(parts).frame_id for parts in receive(sink, left)]
    assert ids == sorted(ids)
    assert ids[0] == 0
    assert (ids[-1] == 59) == (rule == "drop_oldest")


def test_a_stop_sends_what_is_packed_and_counts_what_is_not(
    plane: Bench, address: Address, peer: Opener, slow: SlowFormat
) -> None:
    config = configuration(address("in"), streams={"out": stream(address("out"), compression="lz4")})
    for patience, sent in ((20.0, 10), (0.2, 0)):
        plane.open(config)
        source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("out"))
        send(source, range(10), shape=SHAPE)
        plane.stream(1, lambda s: s.ledger.offered == 10)
        if sent:
            slow.go.set()
        closed = plane.close(patience)
        ledger = closed.report.streams[1].ledger
        assert (ledger.sent, ledger.dropped) == (sent, {} if sent else {"stop": 10})
        assert ledger.queued == 0
        if sent:
            assert len(receive(sink, sent)) == sent
            slow.go.clear()
        source.close()
        sink.close()
    slow.go.set()


def test_an_image_that_cannot_be_unpacked_is_counted_and_the_next_one_goes_out(
    plane: Bench, address: Address, peer: Opener
) -> None:
    streams = {"out": {"address": address("out"), "format": "array-1.0"}}
    plane.open(configuration(address("in"), streams=streams))
    source, sink = peer(zmq.PUSH, bind=address("in")), peer(zmq.PULL, connect=address("out"))
    damaged = dimage(1, np.zeros((64, 64), np.uint16), "bitshuffle_lz4")
    damaged[2] = damaged[2][:16] + bytes(b ^ 0x5A for b in damaged[2][16:])
    source.send_multipart(damaged)
    source.send_multipart(dimage(2, image(2, SHAPE), "bitshuffle_lz4"))
    np.testing.assert_array_equal(images_of(receive(sink, 1))[0], image(2, SHAPE))
    ledger = plane.stream(1, lambda s: s.ledger.offered == 2).ledger
    assert (ledger.sent, ledger.dropped) == (1, {"compression": 1})


def test_memory_is_filled_again_only_when_nobody_refers_to_it() -> None:
    memory = ReusedMemory()

    def filling(value: int) -> Callable[[np.ndarray[Any, Any]], int]:
        def fill(target: np.ndarray[Any, Any]) -> int:
            target[:6] = value
            return 6

        return fill

    first, second = memory(10, filling(1)), memory(10, filling(2))
    kept = first[2:4]
    assert (bytes(first), bytes(second)) == (b"\1" * 6, b"\2" * 6)
    place = np.frombuffer(second, np.uint8).ctypes.data
    del first, second
    third = memory(10, filling(3))
    assert np.frombuffer(third, np.uint8).ctypes.data == place
    assert bytes(kept) == b"\1\1"
    assert bytes(memory(20, filling(4))) == b"\4" * 6
