"""Asks the data plane for the last frames of streams, which may have been left out on their way here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zmq


class Missed:
    """See `dataplane.last_frames`. Used from one thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._address = ""
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.immediate = True  # what cannot be asked now is asked again later

    def connect(self, address: str) -> None:
        """Ask there from now on."""
        if self._address:
            self.socket.disconnect(self._address)
        self._address = address
        self.socket.connect(address)

    def ask(self, stream: str, number: int) -> None:
        """Ask for the last frame of a stream, unless it is the one with this number."""
        try:
            self.socket.send_multipart([stream.encode(), b"%d" % number], zmq.NOBLOCK)
        except zmq.Again:
            return

    def answers(self) -> Iterator[tuple[str, int, list[Any]]]:
        """What has come: a stream, the number of its last frame, and the parts of that."""
        while True:
            try:
                name, number, *parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            yield name.bytes.decode(), int(number.bytes), parts

    def close(self) -> None:
        self.socket.close()
