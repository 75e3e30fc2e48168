"""array-1.0 and its GigaFRoST variant: recorded messages, properties, and psi-mflow as peer."""

from __future__ import annotations

import json

import mflow
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from vectors import Vector, load

from repstream.errors import MalformedMessage
from repstream.messages import array_1_0, formats
from repstream.messages.frame import PIXEL_TYPES, image_shape

REASONS = {"json", "htype", "field", "parts", "size"}

GOOD = {
    f"{family}/{name}": vector
    for family in ("array-1.0", "gigafrost")
    for name, vector in load(family).items()
}
# Headers alone, and an image without pixels: legal by the description, refused here.
HEADERS = GOOD.pop("gigafrost/recorded_headers")
NO_PIXELS = GOOD.pop("array-1.0/zero_rows")
BAD = {
    name: vector
    for family in ("malformed_any", "malformed_array-1.0", "malformed_gigafrost")
    for name, vector in load(family).items()
}
CHOSEN = {
    # An unknown field that nobody can read back is no header to forward.
    "any_deep_nesting": "refuse",
    # The last of a repeated field counts, in decode as in attributes.
    "any_duplicate_shape": "deliver",
}
REASON_OF = {
    "any_binary_only": "json",
    "any_deep_nesting": "json",
    "any_empty_part": "json",
    "any_not_utf8": "json",
    "any_json_list": "htype",
    "any_htype_unknown": "htype",
    "any_huge_integer": "field",
    "array-1.0_bomb_10_to_12": "size",
    "array-1.0_bomb_overflow_64": "size",
    "array-1.0_bomb_overflow_to_fit": "size",
    "array-1.0_bomb_many_dimensions": "field",
    "array-1.0_endianness_conflict": "field",
    "array-1.0_frame_bool": "field",
    "array-1.0_frame_2_to_64": "field",
    "array-1.0_many_parts": "size",
    "array-1.0_no_payload_part": "parts",
    "array-1.0_second_part_short": "size",
    "array-1.0_type_object": "field",
}


def outcome(name: str, vector: Vector) -> str:
    return CHOSEN[name] if vector.expected["outcome"] == "either" else vector.expected["outcome"]


REFUSED = {name: vector for name, vector in BAD.items() if outcome(name, vector) == "refuse"}
ODD = {name: vector for name, vector in BAD.items() if outcome(name, vector) == "deliver"}


@pytest.mark.parametrize("vector", GOOD.values(), ids=GOOD)
def test_recorded_messages_decode_to_what_was_sent(vector: Vector) -> None:
    for number, parts in vector.messages.items():
        frame = formats.decode(parts)
        expected = vector.expected["messages"][number]
        assert (frame.frame_id, list(frame.shape)) == (
            expected["header"]["frame"],
            expected["header"]["shape"],
        )
        assert frame.dtype == expected["header"]["type"]
        assert frame.nbytes == sum(map(len, parts))
        assert frame.parts is parts
        assert len(frame.payloads) == len(expected["data"])
        for i, reference in enumerate(expected["data"]):
            np.testing.assert_array_equal(array_1_0.array(frame, i), vector.arrays[reference["npz"]])


@pytest.mark.parametrize("header", [parts[0] for parts in HEADERS.messages.values()])
def test_recorded_gigafrost_headers_decode_with_their_image(header: bytes) -> None:
    frame = formats.decode([header, bytes(1200 * 2016 * 2)])
    assert (frame.shape, frame.dtype, frame.big_endian) == ((1200, 2016), "uint16", False)
    assert frame.frame_id == json.loads(header)["image_attributes"]["image_number"]


@pytest.mark.parametrize("vector", REFUSED.values(), ids=REFUSED)
def test_malformed_messages_are_refused(vector: Vector, request: pytest.FixtureRequest) -> None:
    with pytest.raises(MalformedMessage) as caught:
        formats.decode(vector.first)
    assert caught.value.reason in REASONS
    name = request.node.callspec.id
    assert caught.value.reason == REASON_OF.get(name, caught.value.reason)


@pytest.mark.parametrize("vector", ODD.values(), ids=ODD)
def test_odd_but_good_messages_are_delivered(vector: Vector) -> None:
    frame = formats.decode(vector.first)
    assert frame.frame_id == 1
    assert array_1_0.array(frame).shape == frame.shape
    assert all(isinstance(value, int | float) for value in array_1_0.attributes(vector.first[0]).values())


def test_the_tables_name_vectors_that_exist() -> None:
    assert set(CHOSEN) == {name for name, vector in BAD.items() if vector.expected["outcome"] == "either"}
    assert set(REASON_OF) <= set(REFUSED)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="field"):
        formats.decode(NO_PIXELS.first)


def test_a_message_without_parts_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="parts"):
        formats.decode([])


@pytest.mark.parametrize("wrap", [bytes, memoryview, zmq.Frame, bytearray])
def test_payloads_are_the_parts_themselves(wrap: type) -> None:
    parts = [wrap(part) for part in load("array-1.0")["three_parts"].first]
    frame = formats.decode(parts)
    assert all(payload is part for payload, part in zip(frame.payloads, parts[1:], strict=True))
    view = array_1_0.array(frame, 2)
    assert np.shares_memory(view, np.frombuffer(parts[3], np.uint8))
    assert not view.flags.writeable


def test_errors_do_not_repeat_a_long_text_of_the_peer() -> None:
    for header in (
        {"htype": "x" * 100_000},
        {"htype": "array-1.0", "type": "x" * 100_000, "shape": [1], "frame": 0},
        {"htype": "array-1.0", "type": "uint8", "shape": [10**3000] * 64, "frame": 10**3000},
    ):
        with pytest.raises(MalformedMessage) as caught:
            formats.decode([json.dumps(header).encode(), b"x"])
        assert len(caught.value.detail) < 500


IMAGES = st.sampled_from(PIXEL_TYPES).flatmap(
    lambda name: st.sampled_from("<>").flatmap(
        lambda order: arrays.arrays(
            np.dtype(name).newbyteorder(order), arrays.array_shapes(min_dims=0, max_dims=4, max_side=5)
        )
    )
)


@given(frame_id=st.integers(0, 2**64 - 1), image=IMAGES)
def test_what_is_encoded_decodes_to_the_same(frame_id: int, image: np.ndarray) -> None:
    frame = formats.decode(array_1_0.encode(frame_id, image, source="here"))
    decoded = array_1_0.array(frame)
    assert (frame.frame_id, frame.shape, frame.dtype) == (
        frame_id,
        image_shape(image.shape),
        image.dtype.name,
    )
    assert (decoded.dtype, decoded.tobytes()) == (image.dtype, image.tobytes())


def test_encode_does_not_copy_pixels() -> None:
    image = np.arange(20, dtype="uint16").reshape(4, 5)
    payload = array_1_0.encode(0, image)[1]
    assert np.shares_memory(image, np.frombuffer(payload, np.uint8))


def test_encode_takes_any_memory_order() -> None:
    image = np.arange(20, dtype="uint16").reshape(4, 5).T[::-1]
    np.testing.assert_array_equal(array_1_0.array(formats.decode(array_1_0.encode(0, image))), image)


@pytest.mark.parametrize(
    "arguments",
    [
        (-1, np.zeros(2)),
        (2**64, np.zeros(2)),
        (0, np.zeros(2, complex)),
        (0, np.zeros((0, 5))),
        (0, np.zeros(2), np.zeros(3)),
    ],
)
def test_encode_refuses_what_the_format_cannot_say(arguments: tuple[int, np.ndarray]) -> None:
    with pytest.raises(ValueError):
        array_1_0.encode(*arguments)


def test_encode_refuses_extra_fields_that_the_format_defines() -> None:
    with pytest.raises(ValueError, match="shape"):
        array_1_0.encode(0, np.zeros(2), shape=[3])


PARTS = [vector.first for vector in GOOD.values() if sum(map(len, vector.first)) < 1000]


@given(parts=st.sampled_from(PARTS), data=st.data())
def test_damaged_headers_raise_nothing_but_malformed_message(parts: list[bytes], data: st.DataObject) -> None:
    header = bytearray(parts[0])
    for _ in range(data.draw(st.integers(1, 4))):
        header[data.draw(st.integers(0, len(header) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = [bytes(header[: data.draw(st.integers(0, len(header)))]), *parts[1:]]
    for message in (damaged, [bytes(header), *parts[1:]]):
        try:
            formats.decode(message)
        except MalformedMessage as error:
            assert error.reason in REASONS
        else:
            array_1_0.attributes(message[0])


@given(parts=st.lists(st.binary(max_size=100), max_size=4))
def test_garbage_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        formats.decode(parts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def fits(value: object) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**64


@given(extra=st.dictionaries(st.text(), JSON), inner=st.dictionaries(st.text(), JSON))
def test_attributes_never_fail_for_a_header_that_was_taken(extra: dict, inner: dict) -> None:
    own = {"htype": "array-1.0", "shape": [1], "type": "uint8", "frame": 1, "image_attributes": inner}
    header = json.dumps({**extra, **own}).encode()
    try:
        formats.decode([header, b"x"])
    except MalformedMessage:
        return
    found = array_1_0.attributes(header)
    both = {**extra, **inner}
    numbers = {k: v for k, v in both.items() if isinstance(v, float) or fits(v)}
    assert {k: v for k, v in found.items() if k not in own} == {
        k: v for k, v in numbers.items() if k not in own
    }


def test_attributes_of_a_recorded_header() -> None:
    assert array_1_0.attributes(HEADERS.messages[0][0]) == {
        "scan_index": 0,
        "trigger_signal": 0,
        "image_number": 7766800,
        "image_exposure_time": 10000,
        "enable_signal": 0,
        "image_sync_time": 1450157077,
        "scan_datetime": 1631087755,
        "time_stamp": 155337324560,
        "image_is_complete": True,
    }


def test_attributes_leave_out_what_no_column_can_hold() -> None:
    header = (
        b'{"htype":"array-1.0","shape":[1],"type":"uint8","frame":7,"text":"5","list":[1],"object":{"a":1},"none":null,'
        b'"wide":18446744073709551616,"deep":-9223372036854775809,"far":1e400,"long":'
        + b"9"
        * 5000
        + b',"a":1,"b":2.5,'
        b'"top":18446744073709551615,"image_attributes":{"a":3,"c":false,"text":"x","far":1e400,"nested":{"d":4}}}'
    )
    formats.decode([header, b"x"])
    assert array_1_0.attributes(header) == {"a": 3, "b": 2.5, "top": 2**64 - 1, "c": False}


def test_a_gigafrost_header_is_what_the_detector_sends() -> None:
    recorded = HEADERS.messages[0][0]
    times = {"image_sync_time": 1450157077, "scan_datetime": 1631087755, "time_stamp": 155337324560}
    assert array_1_0.gigafrost_header(7766800, (1200, 2016), **times) == recorded


WRITER = {"output_file": "/data/p12345/scan_0001.h5", "run_id": 1, "n_images": 100, "detector_name": "GF2"}


def test_a_header_for_a_std_det_writer_is_what_gf_repstream_sends() -> None:
    expected = load("gigafrost")["std_det_writer"].expected["messages"][0]["header"]
    times = {
        key: expected["image_attributes"][key] for key in ("image_sync_time", "scan_datetime", "time_stamp")
    }
    header = array_1_0.gigafrost_header(7766806, (30, 48), **times)
    assert json.loads(array_1_0.std_det_writer_header(header, 0, user_id=12345, **WRITER)) == expected


def test_fields_of_a_rewritten_header_stay_byte_for_byte() -> None:
    header = (
        b'{"htype":"array-1.0","shape":[1],"type":"uint8","frame":7,"x":1.50e0,"y":99999999999999999999,'
        b'"image_attributes":{"z":[1, 2]}}'
    )
    rewritten = array_1_0.std_det_writer_header(header, 41, user_id="p1", **WRITER)
    for kept in (b'"x":1.50e0', b'"y":99999999999999999999', b'"z":[1, 2]', b'"htype":"array-1.0"'):
        assert kept in rewritten
    assert formats.decode([rewritten, b"x"]).frame_id == 41
    assert array_1_0.attributes(rewritten)["image_number"] == 41


def test_a_header_without_attributes_can_be_rewritten() -> None:
    rewritten = array_1_0.std_det_writer_header(b'{"htype":"array-1.0","frame":7}', 3, user_id=1, **WRITER)
    assert json.loads(rewritten)["image_attributes"] == {"image_number": 3}


def test_we_read_what_psi_mflow_sends(context: zmq.Context) -> None:
    ours = context.socket(zmq.PULL)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    peer = mflow.connect(f"tcp://127.0.0.1:{port}", conn_type="connect", mode=zmq.PUSH)
    try:
        image = np.arange(20, dtype="int32").reshape(4, 5)
        header = {"htype": "array-1.0", "type": "int32", "shape": [4, 5], "frame": 9, "extra": {"keep": "ü"}}
        peer.forward({"header": header, "data": [image, image + 1]})
        assert ours.poll(10_000)
        frame = formats.decode(ours.recv_multipart(copy=False))
    finally:
        peer.disconnect()
    assert frame.frame_id == 9
    np.testing.assert_array_equal(array_1_0.array(frame), image)
    np.testing.assert_array_equal(array_1_0.array(frame, 1), image + 1)


@pytest.mark.parametrize("dtype", PIXEL_TYPES)
def test_psi_mflow_reads_what_we_send(context: zmq.Context, dtype: str) -> None:
    image = np.arange(60).astype(dtype).reshape(3, 4, 5)
    ours = context.socket(zmq.PUSH)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    peer = mflow.connect(
        f"tcp://127.0.0.1:{port}", conn_type="connect", mode=zmq.PULL, receive_timeout=10_000
    )
    try:
        ours.send_multipart(array_1_0.encode(2**53 + 1, image, source="repstream"), copy=False)
        message = peer.receive()
    finally:
        peer.disconnect()
    assert message.data["header"]["frame"] == 2**53 + 1
    np.testing.assert_array_equal(message.data["data"][0], image)
