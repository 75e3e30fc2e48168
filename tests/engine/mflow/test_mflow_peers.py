"""The original mflow at the other end, every handler, both directions; and recorded messages."""

from __future__ import annotations

import subprocess
import sys

import mflow as original
import numpy as np
import pytest
from vectors import load

from repstream import mflow

IMAGE = np.arange(20, dtype=np.uint16).reshape(4, 5)
CONFIGURATION = {"detector_number": "E-16-0001", "count_time": 0.1}
TABLES = {
    "part_3": {"htype": "dflatfield-1.0", "shape": [5, 4], "type": "float32"},
    "part_4_raw": np.ones(20, np.float32).tobytes(),
    "part_5": {"htype": "dpixelmask-1.0", "shape": [5, 4], "type": "uint32"},
    "part_6_raw": bytes(80),
    "part_7": {"htype": "dcountrate_table-1.0", "shape": [2, 3], "type": "float32"},
    "part_8_raw": bytes(24),
}
MESSAGES = {
    "array": {
        "header": {"htype": "array-1.0", "type": "uint16", "shape": [4, 5], "frame": 2**53 + 1, "tags": [1]},
        "data": [IMAGE],
    },
    "arrays": {
        "header": {"htype": "array-1.0", "type": "uint16", "shape": [4, 5], "frame": 1},
        "data": [IMAGE, IMAGE + 1, IMAGE + 2],
    },
    "raw": {"header": {"htype": "raw-1.0", "anything": {"a": None}}, "data": [b"one"]},
    "basic": {
        "header": {"htype": "dheader-1.0", "series": 1, "header_detail": "basic"},
        "part_2": CONFIGURATION,
    },
    "all": {
        "header": {"htype": "dheader-1.0", "series": 1, "header_detail": "all"},
        "part_2": CONFIGURATION,
        **TABLES,
        "appendix": {"of": "the user"},
    },
    "image": {
        "header": {"htype": "dimage-1.0", "series": 1, "frame": 3, "hash": "x"},
        "part_2": {
            "htype": "dimage_d-1.0",
            "shape": [5, 4],
            "type": "uint16",
            "encoding": "<",
            "size": 40,
        },
        "part_3_raw": IMAGE.tobytes(),
        "part_4": {"htype": "dconfig-1.0", "start_time": 1, "stop_time": 2, "real_time": 1},
    },
    "end": {"header": {"htype": "dseries_end-1.0", "series": 1}},
}
PEERS = [(original, mflow), (mflow, original), (mflow, mflow)]


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if name == "data":
            for one, other in zip(got["data"], value, strict=True):
                np.testing.assert_array_equal(one, other)
        else:
            assert got[name] == value


@pytest.mark.parametrize(("sender", "receiver"), PEERS, ids=["theirs to ours", "ours to theirs", "ours"])
@pytest.mark.parametrize("name", MESSAGES)
def test_every_handler_sends_what_the_other_receives(streams, sender, receiver, name):
    push, pull = streams.pair(sender, receiver)
    for _ in range(2):
        push.forward(MESSAGES[name])
        assert_equal(pull.receive().data, MESSAGES[name])


@pytest.mark.parametrize("name", ["none", "appendix"])
def test_levels_of_detail_that_the_original_cannot_send_reach_it(streams, name):
    message = {"header": {"htype": "dheader-1.0", "series": 1, "header_detail": "none"}}
    if name == "appendix":
        message = {**MESSAGES["image"], "appendix": [1, 2]}
    push, pull = streams.pair(mflow, original)
    push.forward(message)
    assert_equal(pull.receive().data, message)


def test_a_script_of_the_original_runs_with_our_import(streams):
    """bsread, which is written on mflow, sends and receives with ours in its place."""
    pytest.importorskip("bsread")
    script = """
import sys
from repstream import mflow
sys.modules["mflow"] = mflow
import numpy as np
from bsread import PULL, source
from bsread.sender import Sender

assert sys.modules["bsread.source"].mflow is mflow
sender = Sender(port=0, address="tcp://127.0.0.1", queue_size=10)
sender.port = "*"
sender.open(no_client_action=lambda: None, no_client_timeout=60)
port = int(sender.stream.socket.last_endpoint.rpartition(b":")[2])
with source(host="127.0.0.1", port=port, mode=PULL, receive_timeout=10_000) as stream:
    for pulse in range(3):
        sender.send(pulse_id=pulse, data={"image": np.full((3, 4), pulse), "x": 1.5 * pulse, "text": "ä"})
        message = stream.receive()
        data = message.data.data
        assert message.data.pulse_id == pulse, message.data.pulse_id
        assert (data["image"].value == pulse).all() and data["image"].value.shape == (3, 4)
        assert data["x"].value == 1.5 * pulse and data["text"].value == "ä"
sender.close()
print("done")
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "done\n", ran.stderr


GOOD = [
    (family, name)
    for family in (
        "array-1.0",
        "gigafrost",
        "bsread",
        "dectris_v1",
        "dectris_v2",
        "pilatus-1.0",
        "raw-1.0",
        "chunk-1.0",
    )
    for name in load(family)
    if name != "recorded_headers"  # headers alone
]
NUMPYS_OWN = "array-1.0_type_numpy_code"
"""Its type is ``"<u2"``: nothing for the engine, but the original takes what numpy takes."""

BAD = [
    (family, name)
    for family in (
        "malformed_any",
        "malformed_array-1.0",
        "malformed_bsread",
        "malformed_dectris_v1",
        "malformed_dectris_v2",
        "malformed_gigafrost",
    )
    for name, vector in load(family).items()
    if vector.expected["outcome"] == "refuse" and name != NUMPYS_OWN
]


@pytest.fixture(scope="module")
def link():
    """A bare socket, and a stream that receives from it."""
    push = mflow.connect("tcp://127.0.0.1:*", conn_type="bind", mode=mflow.PUSH, queue_size=1000, linger=0)
    address = push.socket.last_endpoint.decode()
    pull = mflow.connect(address, receive_timeout=10_000, queue_size=1000)
    yield push.socket, pull
    pull.disconnect()
    push.disconnect()


@pytest.mark.parametrize(("family", "name"), GOOD)
def test_recorded_messages_are_received_and_forwarded(streams, link, family, name):
    socket, pull = link
    again, other = streams.pair()
    for parts in load(family)[name].messages.values():
        socket.send_multipart(parts)
        message = pull.receive()
        if message is None:
            # Legal by its description, but an array of no element: refused on purpose.
            assert name in {"zero_rows"}
            continue
        assert message.statistics.bytes_received == sum(map(len, parts))
        if message.data["header"]["htype"] == "chunk-1.0":
            continue
        again.forward(message.data)
        came = other.receive()
        assert (
            came.data["header"].items()
            >= {k: v for k, v in message.data["header"].items() if k != "hash"}.items()
        )
        assert came.data.keys() == message.data.keys()
        if isinstance(message.data.get("data"), dict):
            for key, value in message.data["data"].items():
                np.testing.assert_array_equal(came.data["data"][key], value)


def test_a_type_in_numpys_own_words_is_received_as_by_the_original(streams):
    parts = load("malformed_array-1.0")[NUMPYS_OWN].first
    found = []
    for library in (mflow, original):
        push, pull = streams.pair(receiver=library)
        push.socket.send_multipart(parts)
        found += pull.receive().data["data"]
    assert [image.dtype for image in found] == ["<u2", "<u2"]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("family", "name"), BAD)
def test_malformed_messages_are_skipped_and_the_next_one_is_good(link, family, name):
    socket, pull = link
    good = [b'{"htype": "array-1.0", "type": "uint16", "shape": [4, 5], "frame": 1}', IMAGE.tobytes()]
    vector = load(family)[name]
    got = []
    for parts in vector.messages.values():
        socket.send_multipart(parts)
        got.append(pull.receive())
    assert None in got
    socket.send_multipart(good)
    assert pull.receive().data["header"]["frame"] == 1
