"""The simulated detector: faults are what was asked for, and counted; recordings come as they were."""

import itertools
import json
import threading
import time

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from tests.sockets import keeping_context

from repstream.accounting import InputLedger
from repstream.errors import MalformedMessage, StorageError
from repstream.messages import array_1_0, formats
from repstream.sources.images import Images
from repstream.sources.simulation import (
    Counts,
    Detector,
    Faults,
    Pace,
    disturbed,
    recorded,
    run,
    synthetic,
)

SHAPE = (4, 20)


def messages(number, first=0):
    return synthetic(Images(SHAPE, "uint8"), array_1_0.encode, first, number)


def received(pairs):
    ledger = InputLedger()
    for _, parts in pairs:
        try:
            ledger.book_frame(formats.decode(parts).frame_id, 0, 0.0)
        except MalformedMessage as error:
            ledger.book_malformed(error.reason, 0)
    return ledger


probability = st.floats(0, 0.5)


@given(probability, probability, probability, st.integers(0, 1000))
def test_a_receiver_counts_what_the_detector_did(gaps, duplicates, errors, seed):
    counts = Counts()
    ledger = received(disturbed(messages(60), Faults(gaps, duplicates, errors), counts, seed))
    assert ledger.frames == counts.frames == 60 - counts.left_out + counts.duplicates
    assert sum(ledger.malformed.values()) == counts.malformed
    assert ledger.gaps.duplicates == counts.duplicates
    assert ledger.gaps.missing <= counts.left_out  # those before the first and after the last do not show


def test_every_kind_of_malformed_message_is_one():
    counts = Counts()
    ledger = received(disturbed(messages(8), Faults(errors=1.0), counts))
    assert ledger.malformed == {"json": 2, "parts": 2, "size": 2, "field": 2}
    assert ledger.frames == 8


def test_without_a_number_frames_go_on():
    endless = messages(0, first=7)
    assert [frame_id for frame_id, _ in itertools.islice(endless, 3)] == [7, 8, 9]


def record(folder, number):
    for n, (_, parts) in enumerate(messages(number, first=100)):
        for m, part in enumerate(parts):
            (folder / f"{n:06d}_{m:03d}.raw").write_bytes(part)


def test_a_recording_comes_byte_for_byte(tmp_path):
    record(tmp_path, 3)
    sent = [[bytes(part) for part in parts] for _, parts in recorded(tmp_path, None, None)]
    assert sent == [[bytes(part) for part in parts] for _, parts in messages(3, first=100)]


def test_a_recording_is_repeated_and_renumbered(tmp_path):
    record(tmp_path, 2)
    headers = [json.loads(parts[0]) for _, parts in recorded(tmp_path, 5, 10)]
    assert [header["frame"] for header in headers] == [10, 11, 12, 13, 14]
    assert all(header["type"] == "uint8" for header in headers)


def test_a_folder_without_a_recording_is_refused(tmp_path):
    with pytest.raises(StorageError, match="NNNNNN_MMM"):
        next(recorded(tmp_path, None, None))


@pytest.mark.parametrize(("mode", "taker"), [("push", zmq.PULL), ("pub", zmq.SUB)])
def test_a_consumer_gets_every_frame(mode, taker):
    detector, counts, stop = Detector("tcp://127.0.0.1:*", mode), Counts(), threading.Event()

    def send():
        detector.wait_for_consumer(stop)
        run(detector, disturbed(messages(50), Faults(), counts), counts, rate=0, stop=stop)
        detector.close()

    sender = threading.Thread(target=send)
    sender.start()
    with keeping_context() as context, context.socket(taker) as socket:
        if taker == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(detector.address)
        ids = []
        while len(ids) < 50 and socket.poll(5000):
            ids.append(formats.decode(socket.recv_multipart()).frame_id)
        sender.join()
    assert ids == list(range(50))
    assert counts.frames == 50


def test_a_detector_without_consumer_can_be_stopped():
    detector, counts, stop = Detector("tcp://127.0.0.1:*"), Counts(), threading.Event()
    threading.Timer(0.1, stop.set).start()
    run(detector, disturbed(messages(0), Faults(), counts), counts, rate=0, stop=stop)
    detector.close(stop=stop)
    assert counts.frames == 0


def test_the_pace_is_not_overtaken():
    stop = threading.Event()
    begin = time.monotonic()
    pace = Pace(200.0)
    for _ in range(21):
        pace.wait(stop)
    assert time.monotonic() - begin >= 20 / 200
