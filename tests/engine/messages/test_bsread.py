"""bsread: round trips, what is remembered of data headers, images as frames, psi-bsread as peer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.sockets import keeping_context
from vectors import load

from repstream.errors import MalformedMessage
from repstream.messages import bsread, formats
from repstream.messages.bsread_header import Channel
from repstream.messages.frame import Frame
from repstream.messages.pixels import ITEM_SIZE, array_of

PACKINGS = ["none", "lz4", "bitshuffle_lz4"]
TIMES = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@st.composite
def contents(draw: st.DrawFn, kind: str) -> tuple[Channel, Any]:
    """A channel of a type, without a name, and a value of it."""
    packing, modulo = draw(st.sampled_from(PACKINGS)), draw(st.none() | st.integers(1, 100))
    big_endian = draw(st.booleans())
    if kind == "string":
        text = st.text(st.characters(codec="utf-8"), min_size=1)
        return Channel("", kind, (), big_endian, packing, modulo), draw(text)
    shape = draw(
        st.just(()) | arrays.array_shapes(max_dims=3, max_side=7).filter(lambda shape: shape != (1,))
    )
    dtype = np.dtype(kind).newbyteorder(">" if big_endian else "<")
    value = draw(arrays.arrays(dtype, shape))
    return Channel("", kind, shape, big_endian, packing, modulo), value if shape else value[()]


CONTENTS = st.sampled_from([*ITEM_SIZE, "string"]).flatmap(contents)


@given(
    pulse_id=st.integers(0, 2**64 - 1),
    named=st.dictionaries(st.text(), CONTENTS, max_size=6),
    timestamp=st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
    packing=st.sampled_from(PACKINGS),
    data=st.data(),
)
def test_what_is_encoded_decodes_to_the_same(
    pulse_id: int, named: dict[str, Any], timestamp: tuple[int, int], packing: Any, data: st.DataObject
) -> None:
    channels = [
        Channel(name, c.type, c.shape, c.big_endian, c.compression, c.modulo)
        for name, (c, _) in named.items()
    ]
    values = [value if data.draw(st.integers(0, 4)) else None for _, value in named.values()]
    stamps = [data.draw(st.none() | TIMES) if value is not None else None for value in values]
    parts = bsread.encode(pulse_id, channels, values, stamps, timestamp=timestamp, dh_compression=packing)
    message = bsread.decode(parts)
    assert (message.pulse_id, message.timestamp, message.timestamps) == (pulse_id, timestamp, stamps)
    for channel, found, wanted in zip(message.header.channels, message.values, values, strict=True):
        assert same(found, wanted), channel
    # uint8, int8 and bool have no byte order, but a timestamp has.
    assert list(message.header.channels) == channels
    assert message.header.matches


def same(found: Any, wanted: Any) -> bool:
    if wanted is None or isinstance(wanted, str):
        return found == wanted
    if wanted.shape:
        return (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    return found == wanted.item() or (math.isnan(found) and math.isnan(wanted))


@pytest.mark.parametrize("wrap", [bytes, memoryview, zmq.Frame, bytearray])
def test_arrays_lie_in_the_received_parts(wrap: type) -> None:
    image = np.arange(20, dtype=">u2").reshape(4, 5)
    parts = [wrap(part) for part in encode(image=image, number=1.5, text="ü")]
    message = bsread.decode(parts)
    assert np.shares_memory(message["image"], np.frombuffer(parts[2], np.uint8))
    assert not message["image"].flags.writeable
    assert (message["number"], message["text"]) == (1.5, "ü")


PULSE_TIME = {"global_timestamp_sec": 10, "global_timestamp_ns": 20}


def encode(pulse_id: int = 1, packing: Any = "none", **values: Any) -> list[Any]:
    channels = [bsread.describe(name, value, packing) for name, value in values.items()]
    return bsread.encode(pulse_id, channels, list(values.values()), timestamp=(10, 20))


def test_a_part_that_is_no_view_of_bytes_is_measured_in_bytes() -> None:
    parts = encode(x=np.uint8(1), y=2.5)
    parts[2] = memoryview(np.array([1, 2], "u2"))[:1]
    with pytest.raises(MalformedMessage, match="size"):
        bsread.decode(parts)


def test_a_header_left_out_is_known_by_its_hash_to_those_who_saw_it() -> None:
    channels = [Channel("x", "int32")]
    full = bsread.encode(1, channels, [3])
    empty = bsread.encode(2, channels, [4], repeat_header=False)
    memory = bsread.Memory()
    bsread.decode(full, memory)
    assert bsread.decode(empty, memory)["x"] == 4
    for stranger in (None, bsread.Memory()):
        with pytest.raises(MalformedMessage, match="hash"):
            bsread.decode(empty, stranger)


def test_a_header_that_repeats_is_parsed_once() -> None:
    memory = bsread.Memory()
    first, second = (bsread.decode(encode(i, x=i), memory) for i in (1, 2))
    assert first.header is second.header


def test_a_new_header_under_an_old_hash_counts() -> None:
    memory = bsread.Memory()
    first, second = encode(x=1), encode(y=2.5)
    bsread.decode(first, memory)
    message = bsread.decode([first[0], *second[1:]], memory)
    assert (message["y"], message.header.matches) == (2.5, False)


def test_a_memory_forgets_old_headers() -> None:
    memory = bsread.Memory()
    for i in range(100):
        bsread.decode(encode(**{f"x{i}": i}), memory)
    channels = [bsread.describe("x0", 0)]
    with pytest.raises(MalformedMessage, match="hash"):
        bsread.decode(bsread.encode(1, channels, [0], repeat_header=False), memory)


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_image_becomes_a_frame(packing: Any) -> None:
    image = np.arange(5000, dtype=">u2").reshape(50, 100)
    parts = encode(7, packing, image=image, on=True, energy=1.5, name="x", axis=np.arange(3.0))
    frame = formats.FrameDecoder().decode(parts)
    assert isinstance(frame, Frame)
    assert (frame.frame_id, frame.shape, frame.dtype, frame.big_endian) == (7, (50, 100), "uint16", True)
    assert frame.encoding == ("bitshuffle_lz4" if packing == "bitshuffle_lz4" else "")
    assert frame.payloads[0] is parts[2] or packing == "lz4"
    np.testing.assert_array_equal(array_of(frame), image)
    assert formats.attributes(frame) == {**PULSE_TIME, "on": True, "energy": 1.5}


def test_the_configuration_names_the_channel_of_the_image() -> None:
    first, second = np.zeros((2, 3)), np.ones((4, 5), bool)
    parts = encode(first=first, second=second, text="x", one=1)
    found = formats.FrameDecoder(channel="second").decode(parts)
    assert isinstance(found, Frame)
    assert (found.shape, found.dtype) == ((4, 5), "uint8")
    why = dict.fromkeys(("text", "one", "third"), "bsread pulse without the channel")
    for channel, what in {"": "bsread pulse with several images", **why}.items():
        assert formats.FrameDecoder(channel=channel).decode(parts) == formats.NoImage(what, parts)


def test_a_pulse_without_its_image_is_no_fault() -> None:
    channels = [Channel("image", "uint16", (4, 5)), Channel("x")]
    decoder = formats.FrameDecoder()
    assert isinstance(decoder.decode(bsread.encode(1, channels, [None, 1.0])), formats.NoImage)


def test_an_attribute_that_cannot_be_read_is_left_out() -> None:
    parts = encode(image=np.zeros((2, 3)), good=1, bad=2)
    parts[6] = b"x"
    frame = formats.FrameDecoder().decode(parts)
    assert isinstance(frame, Frame)
    assert formats.attributes(frame) == {**PULSE_TIME, "good": 1}
    with pytest.raises(MalformedMessage, match="size"):
        bsread.decode(parts)


@pytest.mark.parametrize(
    ("channel", "value"),
    [
        (Channel("x", "int8"), 300),
        (Channel("x", "int32"), 1.5),
        (Channel("x", "int32"), np.int64(1)),
        (Channel("x", "int32", (2,)), np.zeros((3,), "int32")),
        (Channel("x", "string"), 1),
        (Channel("x", "bool"), 1),
    ],
)
def test_encode_refuses_what_the_channel_cannot_hold(channel: Channel, value: Any) -> None:
    with pytest.raises(ValueError, match="x"):
        bsread.encode(1, [channel], [value])


def test_encode_refuses_times_beyond_64_bits() -> None:
    with pytest.raises(ValueError, match="timestamp"):
        bsread.encode(1, [Channel("x")], [1.0], [(-1, 0)])


def test_describe_refuses_other_types() -> None:
    with pytest.raises(ValueError, match="complex"):
        bsread.describe("x", 1j)


@pytest.fixture
def ours() -> Iterator[Callable[[int], tuple[zmq.Socket, int]]]:
    """Our own ends by kind, bound, with their port; closed at once at the end."""
    with keeping_context() as context:

        def bind(kind: int) -> tuple[zmq.Socket, int]:
            socket = context.socket(kind)
            return socket, socket.bind_to_random_port("tcp://127.0.0.1")

        yield bind


VALUES = {
    "float": 1.5,
    "int": -3,
    "flag": True,
    "text": "Strahl läuft",
    "image": np.arange(5000, dtype="uint16").reshape(50, 100),
    "big": np.arange(6, dtype=">i4").reshape(2, 3),
    "list": np.arange(4.0),
}


@pytest.fixture
def psi() -> Any:
    """psi-bsread, where it can be installed: it wants bitshuffle, which is compiled from Python 3.13 on."""
    return pytest.importorskip("bsread")


@pytest.mark.parametrize("packing", PACKINGS)
def test_we_read_what_psi_bsread_sends(psi: Any, ours: Any, packing: str) -> None:
    socket, port = ours(zmq.PULL)
    sender = psi.Sender(
        port=port,
        address="tcp://127.0.0.1",
        conn_type="connect",
        mode=psi.PUSH,
        data_header_compression=packing,
        data_compression=packing,
    )
    sender.open()
    try:
        sender.send(timestamp=(5, 6), **VALUES)
        assert socket.poll(10_000)
        message = bsread.decode(socket.recv_multipart(copy=False))
    finally:
        sender.close()
    assert message.timestamp == (5, 6)
    assert set(message.timestamps) == {(5, 6)}
    for name, value in VALUES.items():
        np.testing.assert_array_equal(message[name], value)


@pytest.mark.parametrize("dh_packing", PACKINGS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_psi_bsread_reads_what_we_send(psi: Any, ours: Any, packing: Any, dh_packing: Any) -> None:
    channels = [bsread.describe(name, value, packing) for name, value in VALUES.items()]
    parts = bsread.encode(2**40, channels, list(VALUES.values()), timestamp=(5, 6), dh_compression=dh_packing)
    socket, port = ours(zmq.PUSH)
    source = psi.Source(
        host="127.0.0.1", port=port, conn_type="connect", mode=psi.PULL, receive_timeout=10_000
    )
    source.connect()
    try:
        socket.send_multipart(parts, copy=False)
        message = source.receive()
    finally:
        source.disconnect()
    assert message.data.pulse_id == 2**40
    for name, value in VALUES.items():
        found = message.data.data[name]
        assert (found.timestamp, found.timestamp_offset) == (5, 6)
        np.testing.assert_array_equal(found.value, value)


def test_recorded_camera_messages_become_frames() -> None:
    for name in ("camera_none", "camera_bitshuffle_lz4"):
        vector = load("bsread")[name]
        frame = formats.FrameDecoder(channel="image").decode(vector.first)
        assert isinstance(frame, Frame)
        np.testing.assert_array_equal(array_of(frame), vector.arrays["0/image"])
        assert formats.attributes(frame).keys() == {*PULSE_TIME, "width", "height", "timestamp"}
