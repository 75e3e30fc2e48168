"""The input socket: how it connects, what it hands out, and peers that misbehave."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.ports import free_port
from tests.waiting import until

from repstream.errors import Refused
from repstream.parameters.source import SourceConfig
from repstream.sockets.zmtp import peer_at
from repstream.sources.zmq import ZmqSource

PATIENCE = 10.0

Context = zmq.Context[zmq.Socket[bytes]]
Make = Callable[..., ZmqSource]


# ZMTP 3.0, rfc.zeromq.org/spec/23
def greeting(mechanism: str) -> bytes:
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.encode().ljust(20, b"\0") + bytes(32)


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


GREETINGS = {
    "security": greeting("STRANGE"),
    "zeros": bytes(100),
    "a message first": greeting("NULL") + b"\x00\x03abc",
    "another command": greeting("NULL") + b"\x04\x05\x03FOO\x00",
}
"""After these libzmq does not try again."""

WRONG = {"PUB": "; mode SUB would fit", "REP": "", "PULL": "", "ROUTER": ""}


@pytest.mark.parametrize("name", GREETINGS)
def test_it_connects_again_after_a_peer_with_a_strange_greeting(
    context: Context, make: Make, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        source = make(address)
        first, _ = server.accept()
        first.sendall(GREETINGS[name])
        until(lambda: (source.update(), source.problem)[1])
        first.close()
    receives_from_a_push_at(context, source, address)


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_it_connects_to_the_right_peer_after_a_wrong_one(
    context: Context, make: Make, kind: str, scheme: str, tmp_path: Path
) -> None:
    wrong = context.socket(getattr(zmq, kind))
    wrong.linger = 0
    wrong.bind("tcp://127.0.0.1:*" if scheme == "tcp" else f"ipc://{tmp_path}/s")
    address = wrong.get_string(zmq.LAST_ENDPOINT)
    source = make(address)
    until(lambda: (source.update(), source.problem)[1])
    assert source.problem == f"a {kind} answers at {address}, this input is PULL{WRONG[kind]}"
    wrong.close()
    receives_from_a_push_at(context, source, address)


def test_a_sub_says_that_a_push_answers(context: Context, make: Make) -> None:
    _, address = bound(context)
    source = make(address, mode="SUB")
    until(lambda: (source.update(), source.problem)[1])
    assert source.problem == f"a PUSH answers at {address}, this input is SUB; mode PULL would fit"


def test_the_question_who_answers_takes_no_message(context: Context, make: Make) -> None:
    peer, address = bound(context)
    assert peer_at(address) == "a PUSH"
    peer.sndtimeo = 100
    with pytest.raises(zmq.Again):
        peer.send(b"a")


def test_a_problem_is_forgotten_when_nobody_answers_any_more(
    context: Context, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repstream.sources.inquiry.REMEMBERED", 0.5)
    peer, address = bound(context, zmq.PUB)
    source = make(address)
    until(lambda: (source.update(), source.problem)[1])
    peer.close()
    until(lambda: (source.update(), not source.problem)[1])


def test_a_bound_input_says_that_what_connects_cannot_send(context: Context, make: Make) -> None:
    port = free_port()
    source = make(f"tcp://127.0.0.1:{port}", connection="bind")
    with context.socket(zmq.PUB) as wrong:
        wrong.connect(f"tcp://127.0.0.1:{port}")
        until(lambda: (source.update(), source.problem)[1])
    assert "cannot send to a PULL socket" in source.problem
    with context.socket(zmq.PUSH) as right:
        right.connect(f"tcp://127.0.0.1:{port}")
        until(followed(source, True))
        assert source.problem == ""


def test_it_is_not_opened_anew_while_messages_wait(context: Context, make: Make) -> None:
    peer, address = bound(context)
    source = make(address)
    sent = [b"%d" % i for i in range(20)]
    for data in sent:
        peer.send(data)
    until(lambda: source.socket.poll(0))
    peer.close(linger=1000)
    port = int(address.rpartition(":")[2])
    with listening(port) as server:
        strange, _ = server.accept()
        with strange:
            strange.sendall(greeting("STRANGE"))
            opened = source.socket
            until(lambda: (source.update(), source.problem)[1])
            source.update()
            assert source.socket is opened
            assert [received(source)[0] for _ in sent] == sent
            source.update()
            assert source.socket is not opened


def listening(port: int) -> socket.socket:
    """A server at a port that somebody gives back just now."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            server = socket.create_server(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
        else:
            server.settimeout(PATIENCE)
            return server


def binds(peer: zmq.Socket[bytes], address: str) -> bool:
    """Who had the address gives it back in a thread of libzmq."""
    try:
        peer.bind(address)
    except zmq.ZMQError:
        return False
    return True


def receives_from_a_push_at(context: Context, source: ZmqSource, address: str) -> None:
    with context.socket(zmq.PUSH) as right:
        right.linger = 0
        until(lambda: binds(right, address))
        until(followed(source, True))
        assert source.problem == ""
        right.send_multipart([b"a", b"b"])
        assert received(source) == [b"a", b"b"]
