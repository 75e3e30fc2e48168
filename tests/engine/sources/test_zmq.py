"""The input socket: how it connects, what it hands out, and peers that misbehave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from repstream.errors import Refused
from repstream.parameters.source import SourceConfig
from repstream.sources.zmq import ZmqSource

PATIENCE = 10.0

Context = zmq.Context[zmq.Socket[bytes]]
Make = Callable[..., ZmqSource]

# Greeting of ZMTP 3.0 (rfc.zeromq.org/spec/23) with a security mechanism that nobody knows.
STRANGE_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"STRANGE".ljust(20, b"\0") + bytes(32)


@pytest.fixture
def context() -> Iterator[Context]:
    context: Context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def make(context: Context) -> Iterator[Make]:
    made: list[ZmqSource] = []

    def make_source(address: str, expected: int = 0, **fields: Any) -> ZmqSource:
        made.append(ZmqSource(context, SourceConfig(address=address, **fields), expected))
        return made[-1]

    yield make_source
    for source in made:
        source.close()


def bound(context: Context, kind: int = zmq.PUSH) -> tuple[zmq.Socket[bytes], str]:
    peer = context.socket(kind)
    peer.linger = 0
    return peer, f"tcp://127.0.0.1:{peer.bind_to_random_port('tcp://127.0.0.1')}"


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def source_parts(source: ZmqSource) -> list[zmq.Frame]:
    assert source.socket.poll(PATIENCE * 1000)
    parts = source.receive()
    assert parts is not None
    return parts


def received(source: ZmqSource) -> list[bytes]:
    return [part.bytes for part in source_parts(source)]


def followed(source: ZmqSource, connected: bool) -> Callable[[], bool]:
    def check() -> bool:
        source.update()
        return source.connected is connected

    return check


def test_nothing_waits_at_first(make: Make) -> None:
    assert make("tcp://127.0.0.1:9").receive() is None


def test_a_patient_one_gets_what_comes_a_moment_later(context: Context, make: Make) -> None:
    peer, address = bound(context)
    source = make(address)
    until(followed(source, True))
    assert source.receive(patient=True) is None
    peer.send_multipart([b"a", b"b"])
    until(lambda: source.receive(patient=True) is not None)


def test_parts_of_any_size_are_shared_with_the_message(context: Context, make: Make) -> None:
    peer, address = bound(context)
    source = make(address)
    for size in (10, 1_000_000):
        peer.send_multipart([b"{}", bytes(size)])
        parts = source_parts(source)
        assert [type(part) for part in parts] == [zmq.Frame, zmq.Frame]
        assert len(parts[1]) == size


def test_all_parts_arrive(context: Context, make: Make) -> None:
    peer, address = bound(context)
    source = make(address)
    peer.send_multipart([b"a", b"b", b"", b"d"])
    peer.send(b"e")
    assert received(source) == [b"a", b"b", b"", b"d"]
    assert received(source) == [b"e"]


def test_it_subscribes_to_all_as_sub(context: Context, make: Make) -> None:
    peer, address = bound(context, zmq.XPUB)
    source = make(address, mode="SUB")
    assert peer.recv() == b"\x01"
    peer.send_multipart([b"a", b"b"])
    assert received(source) == [b"a", b"b"]


def test_connected_follows_the_peer(context: Context, make: Make) -> None:
    peer, address = bound(context)
    source = make(address)
    until(followed(source, True))
    peer.close()
    until(followed(source, False))


def test_the_memory_bounds_the_messages_by_the_size_that_is_expected(context: Context, make: Make) -> None:
    _, address = bound(context)
    assert make(address, buffer_size=5000, buffer_memory=100).socket.rcvhwm == 100  # of 1 MiB
    source = make(address, expected=100_000, buffer_size=5000, buffer_memory=1)
    assert source.socket.rcvhwm == source.capacity == 10


def test_an_address_that_is_taken_is_refused(context: Context, make: Make) -> None:
    _, address = bound(context)
    with pytest.raises(Refused, match=rf"cannot bind {address}: Address already in use"):
        make(address, connection="bind")


def test_an_address_that_makes_no_sense_is_refused(make: Make) -> None:
    with pytest.raises(Refused, match="cannot connect to tcp://nowhere"):
        make("tcp://nowhere")


def test_it_connects_again_after_a_peer_with_a_strange_greeting(context: Context, make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        source = make(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        first, _ = server.accept()
        first.sendall(STRANGE_GREETING)
        with first:
            opened = source.socket
            until(lambda: (source.update(), source.socket is not opened)[1])
        second, _ = server.accept()
        second.close()
        assert not source.connected
