"""Encrypted sockets among plain pyzmq peers: who gets in, and who gets nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import zmq
from tests.sockets import keeping_context
from tests.waiting import until

from repstream.errors import Refused
from repstream.sockets.keys import FOLDER_VARIABLE, Keys
from repstream.sockets.monitor import PeerMonitor
from repstream.sockets.security import Denials, Open, Server, security

PATIENCE = 10_000
Socket = zmq.Socket[bytes]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    for name in ("server", "friend", "stranger"):
        keys.create(name)
    return keys


@pytest.fixture(autouse=True)
def folder(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(keys.place))


@pytest.fixture
def context() -> Iterator[zmq.Context[Socket]]:
    with keeping_context() as context:
        yield context


def bound(context: zmq.Context[Socket], clients: str) -> tuple[Socket, PeerMonitor, str]:
    """A PUSH of ours on a free port."""
    socket = context.socket(zmq.PUSH)
    socket.linger = 0
    monitor = PeerMonitor(socket)
    Server("server", clients, "streams.live").apply(context, socket)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    return socket, monitor, f"tcp://127.0.0.1:{port}"


def plain_client(context: zmq.Context[Socket], keys: Keys, name: str, server: str = "server") -> Socket:
    """A PULL that any program could have made; without a name it has no key."""
    socket = context.socket(zmq.PULL)
    socket.linger = 0
    if name:
        pair = keys.pair(name)
        socket.curve_publickey, socket.curve_secretkey = pair.public, pair.secret
        socket.curve_serverkey = keys.public(server)
    return socket


def wait_denied(monitor: PeerMonitor) -> None:
    def looked() -> bool:
        monitor.update()
        return monitor.denied > 0

    until(looked, "somebody to be denied")


@pytest.mark.parametrize("clients", ["friend", "stranger, friend", "*"])
def test_who_is_allowed_gets_what_is_sent(context: zmq.Context[Socket], keys: Keys, clients: str) -> None:
    server, monitor, address = bound(context, clients)
    with server, plain_client(context, keys, "friend") as client:
        client.connect(address)
        assert server.poll(PATIENCE, zmq.POLLOUT)
        server.send(b"frame")
        assert client.poll(PATIENCE) and client.recv() == b"frame"
        monitor.update()
        assert (monitor.peers, monitor.denied) == (1, 0)
        monitor.close()


@pytest.mark.parametrize(("name", "known_as"), [("", "server"), ("stranger", "server"), ("friend", "friend")])
def test_without_a_key_or_with_a_wrong_one_nobody_gets_anything(
    context: zmq.Context[Socket], keys: Keys, name: str, known_as: str
) -> None:
    server, monitor, address = bound(context, "friend")
    with server, plain_client(context, keys, name, known_as) as client:
        client.connect(address)
        wait_denied(monitor)
        assert monitor.peers == 0
        with pytest.raises(zmq.Again):  # there is nobody to send to
            server.send(b"frame", zmq.NOBLOCK)
        assert not client.poll(50)
        monitor.close()


def test_two_sockets_of_one_context_have_lists_of_their_own(context: zmq.Context[Socket], keys: Keys) -> None:
    one, first, here = bound(context, "friend")
    two, second, there = bound(context, "stranger")
    with one, two, plain_client(context, keys, "friend") as client:
        client.connect(here)
        client.connect(there)
        assert one.poll(PATIENCE, zmq.POLLOUT)
        wait_denied(second)
        assert not two.poll(0, zmq.POLLOUT)
        first.close()
        second.close()


def test_a_key_that_was_removed_opens_nothing_any_more_and_one_that_was_added_does(
    context: zmq.Context[Socket], keys: Keys
) -> None:
    public = keys.create("guest").public
    server, monitor, address = bound(context, "guest")
    pair = keys.pair("guest")
    keys.remove("guest")

    def connected() -> Socket:
        client = context.socket(zmq.PULL)
        client.linger = 0
        client.curve_publickey, client.curve_secretkey = pair.public, pair.secret
        client.curve_serverkey = keys.public("server")
        client.connect(address)
        return client

    with server:
        with connected():
            wait_denied(monitor)
        keys.add("guest", public)
        with connected():
            assert server.poll(PATIENCE, zmq.POLLOUT)
        monitor.close()
    keys.remove("guest")


def test_our_client_end_meets_a_plain_server(context: zmq.Context[Socket], keys: Keys) -> None:
    with context.socket(zmq.PUSH) as server, context.socket(zmq.PULL) as client:
        server.linger = client.linger = 0
        pair = keys.pair("server")
        server.curve_server, server.curve_secretkey, server.curve_publickey = True, pair.secret, pair.public
        port = server.bind_to_random_port("tcp://127.0.0.1")
        security("friend", "server", "source", binds=False).apply(context, client)
        client.connect(f"tcp://127.0.0.1:{port}")
        server.send(b"frame")
        assert client.poll(PATIENCE) and client.recv() == b"frame"


def test_a_context_with_a_gate_ends(keys: Keys) -> None:
    context: zmq.Context[Socket] = zmq.Context()
    server, monitor, _ = bound(context, "friend")
    monitor.close()
    server.close()
    context.term()


@pytest.mark.parametrize(
    ("key", "peers", "binds", "says"),
    [
        ("nobody", "*", True, "there is no key pair 'nobody'"),
        ("server", "", True, "names of public keys, or"),
        ("server", "friend,nobody", True, "there is no public key 'nobody'"),
        ("friend", "", False, "the name of the other side's key"),
        ("friend", "*", False, "name the other side's"),
        ("friend", "server,stranger", False, "name the other side's"),
        ("friend", "nobody", False, "there is no public key 'nobody'"),
    ],
)
def test_what_cannot_be_encrypted_as_asked_is_refused_and_never_open(
    key: str, peers: str, binds: bool, says: str
) -> None:
    with pytest.raises(Refused, match=says) as found:
        security(key, peers, "source", binds=binds)
    assert found.value.subject in {"source.curve_key", "source.curve_peers"}


def test_without_a_key_nothing_is_encrypted() -> None:
    assert isinstance(security("", "friend", "source", binds=True), Open)


def test_those_who_are_denied_are_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    denials = Denials("stream live")
    with caplog.at_level(logging.WARNING):
        for count in (0, 2, 3, 3):
            denials.note(count)
    assert [record.getMessage() for record in caplog.records] == [
        "stream live refused somebody without a key, or with a wrong one, 2 times"
    ]
