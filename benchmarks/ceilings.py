"""What bare loops reach: source, sinks and a forwarding loop of a few lines, each a process.

The loop does nothing but receive and send: all messages to a PUSH, every 5th to a PUB, every
10th to another, counted, not decoded. It exists with and without copying; the faster one is the
ceiling of a repeater in Python. High-water marks are the same for all, so that nobody wins by memory.
"""

from __future__ import annotations

import itertools
import socket
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import zmq

from repstream.messages import array_1_0

LOOPBACK = "tcp://127.0.0.1"
SOCKET_BYTES = 32 << 20


@dataclass(frozen=True)
class Load:
    """Messages of one size: `count` of them, with images of `shape` in uint16."""

    shape: tuple[int, int]
    count: int

    @property
    def nbytes(self) -> int:
        return 2 * self.shape[0] * self.shape[1]

    @property
    def hwm(self) -> int:
        return min(max(SOCKET_BYTES // self.nbytes, 4), 1000)


@dataclass(frozen=True)
class Addresses:
    """Where one run meets."""

    source: str
    every: str
    fifth: str
    tenth: str


def free_addresses() -> Addresses:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    found = [f"{LOOPBACK}:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    return Addresses(*found)


def source(load: Load, addresses: Addresses, control: Connection) -> None:
    """Sends `count` messages with GigaFRoST headers as fast as they are taken, when told to."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as out:
        out.sndhwm = load.hwm
        out.bind(addresses.source)
        before, after = array_1_0.gigafrost_header(987654321, load.shape).split(b'"frame":987654321')
        # Sent again and again without a copy, so that the source costs as little as it can.
        payload = zmq.Frame(bytes(load.nbytes)) if load.nbytes > 100_000 else bytes(load.nbytes)
        control.send("ready")
        control.recv()
        for number in range(load.count):
            out.send(b'%b"frame":%d%b' % (before, number, after), zmq.SNDMORE)
            out.send(payload)
        control.recv()


def sink(load: Load, addresses: Addresses, control: Connection) -> None:
    """Receives on all three outputs; reports seconds from the first message to the last."""
    with zmq.Context() as context:
        every, fifth, tenth = (context.socket(kind) for kind in (zmq.PULL, zmq.SUB, zmq.SUB))
        for out, address in ((every, addresses.every), (fifth, addresses.fifth), (tenth, addresses.tenth)):
            out.rcvhwm = load.hwm
            out.connect(address)
        for out in (fifth, tenth):
            out.subscribe(b"")
        copy = load.nbytes < 300_000
        control.send("ready")
        every.recv_multipart(copy=copy)
        begin = time.perf_counter()
        for number in range(1, load.count):
            every.recv_multipart(copy=copy)
            # The others are emptied beside it; what PUB sockets drop is not this measure's business.
            if number % 5 == 0:
                _receive_if_there(fifth, copy)
            if number % 10 == 0:
                _receive_if_there(tenth, copy)
        control.send(time.perf_counter() - begin)
        for out in (every, fifth, tenth):
            out.close(0)


def _receive_if_there(socket: Any, copy: bool) -> None:
    try:
        socket.recv_multipart(zmq.NOBLOCK, copy=copy)
    except zmq.Again:
        pass


def bare_loop(load: Load, addresses: Addresses, control: Connection, copy: bool) -> None:
    """The ceiling: forwards until the parent ends it."""
    context: Any = zmq.Context(io_threads=2)
    incoming, every, fifth, tenth = (context.socket(kind) for kind in (zmq.PULL, zmq.PUSH, zmq.PUB, zmq.PUB))
    incoming.rcvhwm = every.sndhwm = fifth.sndhwm = tenth.sndhwm = load.hwm
    every.bind(addresses.every)
    fifth.bind(addresses.fifth)
    tenth.bind(addresses.tenth)
    incoming.connect(addresses.source)
    control.send("ready")
    for number in itertools.count():
        parts = incoming.recv_multipart(copy=copy)
        every.send_multipart(parts, copy=copy)
        if number % 5 == 0:
            fifth.send_multipart(parts, copy=copy)
        if number % 10 == 0:
            tenth.send_multipart(parts, copy=copy)
