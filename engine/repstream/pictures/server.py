"""The pictures' address: takes what clients ask for, and sends what is ready."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import msgspec
import zmq

from repstream.pictures import wire
from repstream.pictures.asks import Address, Asks
from repstream.pictures.picture import Picture
from repstream.sockets.security import of_server

log = logging.getLogger(__name__)

WAITING = 32
"""Pictures that may wait in the socket for one client."""


class PictureServer:
    """Serves pictures at `address` (``tcp://127.0.0.1:*`` takes a free port). Used from one thread.

    `asks` says who looks at what. It is encrypted where the environment asks for that. Raises `zmq.ZMQError`
    where the address cannot be bound.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self.asks = Asks()
        self.socket = context.socket(zmq.ROUTER)
        of_server().apply(context, self.socket)
        self.socket.linger = 0
        self.socket.set_hwm(WAITING)
        self.socket.heartbeat_ivl, self.socket.heartbeat_timeout = 1000, 5000
        try:
            self.socket.bind(address)
        except zmq.ZMQError:
            self.socket.close()
            raise
        self.address: str = self.socket.get_string(zmq.LAST_ENDPOINT)

    def receive(self) -> None:
        """Take what clients ask for."""
        while True:
            try:
                client, *parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self.asks.take(client, wire.decode(b"".join(parts)), time.monotonic())
            except msgspec.MsgspecError as error:
                log.warning("a request for pictures was not understood: %s", error)

    def send(self, addresses: Sequence[Address], picture: Picture) -> None:
        """Send one picture to all of them; one who does not read it gets none, and asks again."""
        for client, ask in addresses:
            try:
                self.socket.send_multipart([client, *wire.pack(ask, picture)], zmq.NOBLOCK, copy=False)
            except zmq.Again:
                log.debug("a client of the pictures does not read")

    def close(self) -> None:
        self.socket.close()
