"""A stream by itself: arguments, timeouts, handlers, statistics, closing."""

from __future__ import annotations

import json
import time

import mflow as original
import numpy as np
import pytest
import zmq

from repstream import mflow
from repstream.messages import array_1_0

IMAGE = np.arange(20, dtype=np.uint16).reshape(4, 5)


def send(stream, parts):
    for i, part in enumerate(parts, 1):
        stream.send(part, send_more=i < len(parts))


def message(frame_id=0, image=IMAGE):
    return array_1_0.encode(frame_id, image)


def test_an_image_comes_with_its_header_and_the_counts(streams):
    push, pull = streams.pair()
    for frame_id in range(3):
        send(push, message(frame_id))
        got = pull.receive()
        assert got.data["header"]["frame"] == frame_id
        np.testing.assert_array_equal(got.data["data"][0], IMAGE)
    nbytes = sum(map(len, message(0)[:1])) + IMAGE.nbytes
    assert (got.statistics.messages_received, got.statistics.bytes_received) == (3, nbytes)
    assert got.statistics.total_bytes_received == 3 * nbytes


def test_nothing_in_time_is_none(streams):
    _, pull = streams.pair(receive_timeout=50)
    begin = time.monotonic()
    assert pull.receive() is None
    assert pull.receive_raw() is None
    assert time.monotonic() - begin >= 0.09


def test_without_blocking_nothing_there_is_none_at_once(streams):
    _, pull = streams.pair(receive_timeout=None)
    assert pull.receive(block=False) is None


@pytest.mark.parametrize("copy", [True, False])
def test_arrays_lie_in_the_received_memory_and_are_read_only(streams, copy):
    push, pull = streams.pair(copy=copy)
    send(push, message(image=np.ones((300, 400), np.uint32)))
    array = pull.receive().data["data"][0]
    assert not array.flags.owndata and not array.flags.writeable
    pull.disconnect()
    assert array.sum() == 120_000


def test_parts_are_views_without_copying_and_bytes_with(streams):
    for copy, kind in ((True, bytes), (False, memoryview)):
        push, pull = streams.pair(copy=copy)
        send(push, [b'{"htype": "raw-1.0"}', b"abc"])
        (part,) = pull.receive().data["data"]
        assert type(part) is kind and part == b"abc"


def test_a_malformed_message_is_skipped_whole_and_counted(streams):
    push, pull = streams.pair()
    for parts in ([b"no json", b"x", b"y"], [b'{"htype": "array-1.0"}', b"x"], [b'{"htype": "of nobody"}']):
        send(push, parts)
        assert pull.receive() is None
    send(push, message(7))
    assert pull.receive().data["header"]["frame"] == 7
    assert pull.receiver.statistics.messages_skipped == 3
    assert pull.receiver.statistics.messages_received == 1


def test_a_handler_that_reads_too_far_never_meets_the_next_message(streams):
    push, pull = streams.pair()
    for frame_id in range(2):
        send(push, message(frame_id))

    def greedy(receiver):
        return [receiver.next() for _ in range(5)]

    first = pull.receive(handler=greedy).data
    assert [part is None for part in first] == [False, False, True, True, True]
    assert pull.receive().data["header"]["frame"] == 1


def test_a_handler_that_stops_early_leaves_nothing_behind(streams):
    push, pull = streams.pair()
    send(push, [b'{"htype": "raw-1.0", "n": 1}', b"a", b"b", b"c"])
    send(push, message(1))
    assert pull.receive(handler=lambda receiver: receiver.next(as_json=True)).data["n"] == 1
    assert pull.receive().data["header"]["frame"] == 1


def test_a_handler_that_raises_loses_its_message_only(streams, caplog):
    push, pull = streams.pair()
    for frame_id in range(2):
        send(push, message(frame_id))
    assert pull.receive(handler=lambda receiver: 1 / 0) is None
    assert "Unable to decode message - skipping" in caplog.text
    assert pull.receive().data["header"]["frame"] == 1


def test_a_receiver_used_by_itself_goes_from_message_to_message(streams):
    push, pull = streams.pair()
    for frame_id in range(2):
        send(push, message(frame_id))
    for frame_id in range(2):
        assert pull.receiver.header()["frame"] == frame_id
        assert pull.receiver.next(as_json=True)["frame"] == frame_id
        assert pull.receiver.has_more()
        assert len(pull.receiver.next()) == IMAGE.nbytes
        assert not pull.receiver.has_more()


def test_handlers_of_one_stream_extend_those_of_all(streams):
    push, pull = streams.pair()
    other, plain = streams.pair()
    pull.handlers["mine-1.0"] = lambda receiver: receiver.next(as_json=True)["value"]
    for stream in (push, other):
        stream.send({"htype": "mine-1.0", "value": 42}, as_json=True)
    assert pull.receive().data == 42
    assert plain.receive() is None
    send(push, message(1))
    assert pull.receive().data["header"]["frame"] == 1


def test_a_dict_of_handlers_replaces_them(streams):
    push, pull = streams.pair()
    pull.handlers = {"mine-1.0": lambda receiver: receiver.next(as_json=True)["value"]}
    push.send({"htype": "mine-1.0", "value": 42}, as_json=True)
    assert pull.receive().data == 42
    send(push, message(1))
    assert pull.receive() is None


class Twice:
    """A handler of both directions."""

    @staticmethod
    def receive(receiver):
        return {"header": receiver.next(as_json=True), "data": receiver.next()}

    @staticmethod
    def send(message, send, block=True):
        send(json.dumps(message["header"]).encode(), send_more=True, block=block)
        send(message["data"] * 2, block=block)


@pytest.mark.parametrize("registered", ["handlers", "receive_handlers"])
def test_a_handler_for_all_streams(streams, monkeypatch, registered):
    push, pull = streams.pair()
    if registered == "handlers":
        monkeypatch.setitem(mflow.handlers, "twice-1.0", Twice)
    else:
        monkeypatch.setitem(mflow.receive_handlers, "twice-1.0", Twice.receive)
        monkeypatch.setitem(mflow.send_handlers, "twice-1.0", Twice.send)
    assert {"twice-1.0", "array-1.0"} <= set(mflow.receive_handlers)
    push.forward({"header": {"htype": "twice-1.0"}, "data": b"ab"})
    assert pull.receive().data["data"] == b"abab"


def test_a_standard_handler_can_be_replaced_for_all_streams(streams, monkeypatch):
    push, pull = streams.pair()
    monkeypatch.setitem(mflow.handlers, "array-1.0", lambda receiver: "mine")
    send(push, message())
    assert pull.receive().data == "mine"


def test_a_header_that_only_python_can_write_is_read(streams):
    push, pull = streams.pair()
    push.send(json.dumps({"htype": "raw-1.0", "x": float("nan"), "n": 2**70}).encode())
    header = pull.receive().data["header"]
    assert header["n"] == 2**70 and np.isnan(header["x"])


def test_a_list_of_one_format_as_gigafrost_sends_it(streams):
    push, pull = streams.pair()
    send(push, [array_1_0.gigafrost_header(5, (4, 5)), IMAGE])
    np.testing.assert_array_equal(pull.receive().data["data"][0], IMAGE)


NUMPY_TYPES = ["bool", "complex64", "complex128", "<u2", ">u2", "=i4", "float", "int", "f4", "uint16"]


@pytest.mark.parametrize("name", NUMPY_TYPES)
def test_an_image_of_any_type_that_numpy_knows(streams, name):
    image = (np.arange(12) % 5).astype(name).reshape(3, 4)
    header = {"htype": "array-1.0", "type": name, "shape": [3, 4], "frame": 7}
    for sender, receiver in ((original, mflow), (mflow, original), (mflow, mflow)):
        push, pull = streams.pair(sender, receiver)
        push.forward({"header": header, "data": [image, image]})
        found = pull.receive().data
        assert found["header"] == header
        assert [array.dtype for array in found["data"]] == [np.dtype(name)] * 2
        for array in found["data"]:
            np.testing.assert_array_equal(array, image)


@pytest.mark.parametrize(
    "name", ["object", "O", "str", "U4", "S3", "M8[s]", "V8", "no type", "f4,f4", "", 7, None]
)
def test_an_image_of_a_type_that_is_no_number_is_skipped(streams, name):
    push, pull = streams.pair()
    header = {"htype": "array-1.0", "type": name, "shape": [2], "frame": 7}
    send(push, [json.dumps(header).encode(), bytes(16)])
    assert pull.receive() is None
    assert pull.receiver.statistics.messages_skipped == 1


def test_an_image_of_numpys_type_is_checked_as_others_are(streams):
    push, pull = streams.pair()
    good = {"htype": "array-1.0", "type": "complex64", "shape": [2], "frame": 7}
    for header, size in (
        (good, 15),
        ({**good, "frame": "7"}, 16),
        ({**good, "shape": "2"}, 16),
        ({**good, "shape": [-1]}, 16),
        ({**good, "shape": None}, 16),
    ):
        send(push, [json.dumps(header).encode(), bytes(size)])
        assert pull.receive() is None
    send(push, [json.dumps({**good, "type": "bool"}).encode(), b"\x00\x02"])
    assert pull.receive().data["data"][0].tolist() == [False, True]


def test_arrays_out_of_bytes():
    get_array = mflow.array_1_0.get_array
    array = get_array(np.arange(6, dtype=">i2").tobytes(), ">i2", [2, 3])
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="reshape"):
        get_array(bytes(6), "i2", [2, 2])


def test_before_connecting_there_is_no_socket():
    stream = mflow.Stream()
    assert (stream.socket, stream.receiver, stream.address) == (None, None, None)
    stream.register_socket_monitor(print)
    stream.remove_socket_monitor(print)


def test_an_address_that_cannot_be_bound_or_connected_to(streams):
    _, taken = streams.bound(mflow, mflow.PUSH)
    with pytest.raises(RuntimeError, match=f"Unable to bind to {taken}"):
        mflow.connect(taken, conn_type="bind", mode=mflow.PUSH)
    with pytest.raises(RuntimeError, match="Unable to connect to nonsense"):
        mflow.connect("nonsense")


def test_disconnecting_twice_is_harmless(streams):
    push, _ = streams.bound(mflow, mflow.PUSH)
    push.disconnect()
    push.disconnect()
    mflow.disconnect(push)
    mflow.Stream().disconnect()


def test_a_stream_ends_with_its_block(streams):
    _, address = streams.bound(mflow, mflow.PUSH)
    with mflow.connect(address) as stream:
        pass
    assert stream.socket.closed


def test_what_was_sent_before_disconnecting_arrives(streams):
    push, pull = streams.pair()
    for frame_id in range(40):
        send(push, message(frame_id, np.zeros(60_000)))
    push.disconnect()
    assert [pull.receive().data["header"]["frame"] for _ in range(40)] == list(range(40))


def test_a_send_that_nobody_takes(streams):
    push, _ = streams.bound(mflow, mflow.PUSH, send_timeout=30, linger=0)
    assert push.send(b"x", block=False) is False
    with pytest.raises(zmq.Again):
        push.send(b"x")


def test_a_published_stream_reaches_its_subscribers(streams, until):
    pub, address = streams.bound(mflow, mflow.PUB)
    sub = streams.connected(mflow, address, mflow.SUB, receive_timeout=20)
    got = []

    def heard():
        send(pub, message(3))
        got.append(sub.receive())
        return got[-1]

    until(heard)
    assert got[-1].data["header"]["frame"] == 3


def test_an_image_whose_type_is_not_that_of_the_header_is_not_forwarded(streams, caplog):
    push, pull = streams.pair(receive_timeout=50)
    header = {"htype": "array-1.0", "type": "uint16", "shape": [4, 5], "frame": 1}
    push.forward({"header": header, "data": [IMAGE.astype(np.uint32)]})
    assert "uint32, but the header says uint16" in caplog.text
    assert pull.receive() is None
    push.forward({"header": {**header, "endianness": "big"}, "data": [IMAGE]})
    np.testing.assert_array_equal(pull.receive().data["data"][0], IMAGE)


def test_forwarding_what_names_no_format_raises(streams):
    push, _ = streams.bound(mflow, mflow.PUSH)
    with pytest.raises(KeyError):
        push.forward({"data": []})
    push.forward({"header": {"htype": "of nobody"}})
