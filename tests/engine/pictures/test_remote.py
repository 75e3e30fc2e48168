"""Pictures by address: what was asked for comes, once, and a slow client gets the newest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue

import numpy as np
import pytest
from tests.engine.pictures.serving import Studio, picture, studio
from tests.sockets import keeping_context

from repstream.pictures import wire
from repstream.pictures.picture import Box, Histogram, Picture, Region, Statistics, View
from repstream.pictures.remote import RemotePictures

PATIENCE = 20.0


@pytest.fixture
def served() -> Iterator[tuple[Studio, RemotePictures]]:
    with studio() as running:
        pictures = RemotePictures(running.address)
        yield running, pictures
        pictures.close()


def test_a_picture_goes_over_the_wire_whole() -> None:
    bad = np.zeros((5, 7), bool)
    bad[1, 2] = bad[4, 6] = True
    statistics = Statistics(
        pixels=33,
        bad=2,
        minimum=0,
        maximum=2**64 - 1,
        mean=1.5,
        sum=2**63,
        saturated=1,
        saturation=2**64 - 1,
        centre=None,
        width=None,
        regions=(Region("spot", Box(1, 2, 3, 4), 12, 3, 0.25),),
        histogram=Histogram((1, 2, 3), 0.0, 6.0),
    )
    sent = picture(
        7,
        data=np.arange(35, dtype=np.int64).reshape(5, 7)[:, ::-1],
        image_id=2**64 - 1,
        statistics=statistics,
        bad=bad,
        origin=(3, 4),
        step=(2, 2),
    )
    ask, came = wire.unpack(wire.pack(99, sent))
    assert ask == 99
    assert np.array_equal(came.data, sent.data)
    assert came.data.dtype == np.int64
    assert not came.data.flags.writeable
    assert came.bad is not None
    assert np.array_equal(came.bad, bad)
    for name in set(Picture.__struct_fields__) - {"data", "bad"}:
        assert getattr(came, name) == getattr(sent, name), name


def test_the_picture_at_hand_is_the_latest(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    running.show(picture(4))
    latest = pictures.latest(1, timeout=PATIENCE)
    assert latest is not None
    assert latest.image_id == 4
    assert latest.data.tolist() == picture(4).data.tolist()


def test_a_slot_without_pictures_has_none(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    running.show(picture(4))
    assert pictures.latest(2, timeout=0.3) is None


def test_equal_views_are_made_and_sent_once(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    came: SimpleQueue[Picture] = SimpleQueue()
    near = View(Box(1, 2, 3, 4), (100, 100))
    for _ in range(3):
        pictures.next(1, came.put, near)
    pictures.next(1, came.put)
    threading.Event().wait(0.1)
    running.show(picture(1))
    assert {came.get(timeout=PATIENCE).number for _ in range(4)} == {1}
    assert sorted(running.made, key=str) == sorted([(1, near), (1, None)], key=str)
    assert running.sent == 2


def test_views_of_two_clients_are_made_once(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    other = RemotePictures(running.address)
    came: SimpleQueue[Picture] = SimpleQueue()
    pictures.next(1, came.put)
    other.next(1, came.put)
    threading.Event().wait(0.5)
    running.show(picture(1))
    assert [came.get(timeout=PATIENCE).number for _ in range(2)] == [1, 1]
    other.close()
    assert running.made == [(1, None)]
    assert running.sent == 2


def test_a_subscriber_gets_each_picture_once(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    came: SimpleQueue[Picture] = SimpleQueue()
    subscription = pictures.subscribe(1, came.put)
    for number in range(1, 6):
        running.show(picture(number))
        assert came.get(timeout=PATIENCE).number == number
    with pytest.raises(Empty):
        came.get(timeout=0.2)
    subscription.close()
    running.show(picture(6))
    with pytest.raises(Empty):
        came.get(timeout=0.3)


def test_a_slow_callback_misses_what_came_meanwhile(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    came: SimpleQueue[Picture] = SimpleQueue()
    go_on = threading.Event()

    def slow(shown: Picture) -> None:
        came.put(shown)
        go_on.wait(PATIENCE)

    running.show(picture(1))
    subscription = pictures.subscribe(1, slow)
    assert came.get(timeout=PATIENCE).number == 1
    for number in range(2, 50):
        running.show(picture(number))
    go_on.set()
    assert came.get(timeout=PATIENCE).number == 49
    subscription.close()
    assert running.sent == 2


def test_a_callback_that_fails_goes_on(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    came: SimpleQueue[int] = SimpleQueue()

    def failing(shown: Picture) -> None:
        came.put(shown.number)
        raise ValueError("a fault of the viewer")

    running.show(picture(1))
    subscription = pictures.subscribe(1, failing)
    assert came.get(timeout=PATIENCE) == 1
    running.show(picture(2))
    assert came.get(timeout=PATIENCE) == 2
    subscription.close()


def test_pictures_go_on_when_their_process_was_started_again() -> None:
    came: SimpleQueue[Picture] = SimpleQueue()
    with studio() as first:
        address = first.address
        pictures = RemotePictures(address)
        subscription = pictures.subscribe(1, came.put)
        first.show(picture(1))
        assert came.get(timeout=PATIENCE).number == 1
    with studio(address) as second:
        second.show(picture(2))
        assert came.get(timeout=PATIENCE).number == 2
        subscription.close()
        pictures.close()


def test_what_is_closed_is_forgotten_by_the_server(served: tuple[Studio, RemotePictures]) -> None:
    running, pictures = served
    came: SimpleQueue[Picture] = SimpleQueue()
    pictures.next(1, came.put, after=10).close()
    threading.Event().wait(0.2)
    running.show(picture(11))
    with pytest.raises(Empty):
        came.get(timeout=0.3)
    assert running.sent == 0


def test_rubbish_at_the_address_does_no_harm(served: tuple[Studio, RemotePictures]) -> None:
    import zmq  # noqa: PLC0415

    running, pictures = served
    with keeping_context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 1000
        socket.connect(running.address)
        socket.send(b"\xc1rubbish")
        socket.send_multipart([b"", b"", b"\x93"])
    running.show(picture(1))
    latest = pictures.latest(1, timeout=PATIENCE)
    assert latest is not None
