"""Which format a message has, and what the engine gets of it; the small formats' round trips."""

from __future__ import annotations

import json

import mflow
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, bsread, dectris_v1, formats, pilatus_1_0, raw_1_0
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of, packed

NAMES = st.text().filter(lambda name: name != "htype")
JSON = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()


@given(fields=st.dictionaries(NAMES, JSON), data=st.lists(st.binary(), max_size=4))
def test_raw_messages_survive_the_wire(fields: dict, data: list[bytes]) -> None:
    message = formats.decode_message(raw_1_0.encode(data, **fields))
    assert isinstance(message, raw_1_0.Raw)
    assert message.header == {"htype": "raw-1.0", **fields}
    assert list(message.data) == data


@given(filename=st.text(), path=st.text(), data=st.binary())
def test_pilatus_files_survive_the_wire(filename: str, path: str, data: bytes) -> None:
    message = formats.decode_message(pilatus_1_0.encode(filename, path, data))
    assert isinstance(message, pilatus_1_0.Pilatus)
    assert (message.filename, message.path, message.data) == (filename, path, data)


def chunk(**changes: object) -> list[bytes]:
    header = {"htype": "chunk-1.0", "shape": [3, 2], "type": "uint16", "frame": 1, "energy": 2.5}
    return [json.dumps(header | changes).encode(), bytes(range(12))]


def test_a_chunk_is_a_frame_in_the_byte_order_it_names() -> None:
    frame = formats.decode(chunk(endianness="big"))
    np.testing.assert_array_equal(array_of(frame), np.frombuffer(bytes(range(12)), ">u2").reshape(2, 3))
    assert formats.attributes(frame) == {"energy": 2.5}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cmpr": "lz4"}, "field"),
        ({"shape": [3, 3]}, "size"),
        ({"frame": 2**64}, "field"),
        ({"endianness": "little", "endianess": "big"}, "field"),
        ({"htype": "chunk-2.0"}, "htype"),
    ],
)
def test_chunks_that_do_not_follow_the_format_are_refused(changes: dict, reason: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        formats.decode(chunk(**changes))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "parts", [raw_1_0.encode([b"x"]), pilatus_1_0.encode("a.cbf", "", b"x"), bsread.encode(1, [], [])]
)
def test_good_messages_without_an_image_are_no_frames(parts: list[bytes]) -> None:
    with pytest.raises(MalformedMessage, match=r"htype|channel"):
        formats.decode(parts)


def test_a_message_without_an_image_says_what_it_is() -> None:
    found = formats.FrameDecoder().decode(raw_1_0.encode([b"x"]))
    assert isinstance(found, formats.NoImage)
    assert (found.why, len(found.parts)) == ("raw-1.0", 2)


def test_one_decoder_takes_streams_that_change_their_format() -> None:
    image = np.arange(20, dtype="uint16").reshape(4, 5)
    decoder = formats.FrameDecoder()
    for parts in (
        array_1_0.encode(1, image),
        bsread.encode(1, [bsread.describe("x", image)], [image]),
        dectris_v1.encode_image(3, 1, packed(image)),
        array_1_0.encode(1, image),
    ):
        frame = decoder.decode(parts)
        assert isinstance(frame, Frame)
        assert frame.frame_id == 1
        np.testing.assert_array_equal(array_of(frame), image)


def test_raw_messages_to_and_from_psi_mflow(context: zmq.Context) -> None:
    to, back = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    there, here = (f"tcp://127.0.0.1:{one.bind_to_random_port('tcp://127.0.0.1')}" for one in (to, back))
    reader = mflow.connect(there, conn_type="connect", mode=zmq.PULL, receive_timeout=10_000)
    sender = mflow.connect(here, conn_type="connect", mode=zmq.PUSH)
    try:
        to.send_multipart(raw_1_0.encode([b"one", b"two"], user="me"))
        received = reader.receive().data
        assert received == {"header": {"htype": "raw-1.0", "user": "me"}, "data": [b"one", b"two"]}
        # Of several parts the original sends each as the last one of its message.
        sender.forward({**received, "data": [b"one"]})
        assert back.poll(10_000)
        message = formats.decode_message(back.recv_multipart())
    finally:
        reader.disconnect()
        sender.disconnect()
    assert isinstance(message, raw_1_0.Raw)
    assert (message.header["user"], list(message.data)) == ("me", [b"one"])
