"""Engines that an IOC shows for a while: what clients meet that do not yet know that one is gone."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from repstream_epics.server import IocServer
from tests.ioc.board_engine import BoardEngine

PREFIX = "T:$(ENGINE):"
VERSION, CREATE, READ, DISCONNECTED = 0, 18, 15, 27
STRING = 0


class RawClient:
    """Speaks Channel Access without remembering what it was answered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._read = self._socket.makefile("rb")
        self.send(VERSION, 13, 0, 0)

    def close(self) -> None:
        self._read.close()
        self._socket.close()

    def send(self, command: int, count: int, one: int, two: int, payload: bytes = b"") -> None:
        payload += b"\0" * (-len(payload) % 8)
        self._socket.sendall(struct.pack("!HHHHII", command, len(payload), STRING, count, one, two) + payload)

    def until(self, command: int) -> tuple[int, int]:
        """The two parameters of the next answer of this kind."""
        while True:
            got, size, _, _, one, two = struct.unpack("!HHHHII", self._read.read(16))
            self._read.read(size)
            if got == command:
                return one, two

    def connect(self, pv: str, number: int) -> int:
        """The server's number of the channel."""
        self.send(CREATE, 0, number, 13, pv.encode() + b"\0")
        client, server = self.until(CREATE)
        assert client == number
        return server


@contextmanager
def client(port: int) -> Iterator[RawClient]:
    raw = RawClient(port)
    try:
        yield raw
    finally:
        raw.close()


def test_a_request_for_a_channel_that_is_gone_holds_up_no_other() -> None:
    with (
        BoardEngine().running() as stays,
        BoardEngine().running() as goes,
        IocServer({"stays": stays, "goes": goes}, PREFIX, port=0) as ioc,
        client(ioc.port) as raw,
    ):
        kept = raw.connect("T:stays:State_RBV", 1)
        gone = raw.connect("T:goes:State_RBV", 2)
        ioc.remove("goes")
        assert raw.until(DISCONNECTED)[0] == 2
        raw.send(READ, 1, gone, 7)
        raw.send(READ, 1, kept, 8)
        assert raw.until(READ)[1] == 8
