"""A server of pictures in a thread of the test, with pictures made by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from repstream.pictures.picture import Picture, Statistics, View
from repstream.pictures.server import PictureServer

NO_STATISTICS = Statistics(12, 0, 0, 11, 5.5, 66, 0, 65535, (1.5, 2.0), (0.5, 0.5))


def picture(number: int, slot: int = 1, data: NDArray[Any] | None = None, **fields: Any) -> Picture:
    """A picture whose image id is its number."""
    image = np.arange(12, dtype=np.uint16).reshape(3, 4) if data is None else data
    return Picture(
        **{
            "slot": slot,
            "number": number,
            "image_id": number,
            "time": 1.5,
            "received": 2.5,
            "full_shape": image.shape,
            "dtype": image.dtype.name,
            "origin": (0, 0),
            "step": (1, 1),
            "data": image,
            "statistics": NO_STATISTICS,
            **fields,
        }
    )


class Studio:
    """Serves `show`n pictures; `made` has the (number, view) of each picture that was made."""

    def __init__(self, address: str = "tcp://127.0.0.1:*") -> None:
        self.made: list[tuple[int, View | None]] = []
        self.sent = 0
        self._shown: dict[int, Picture] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._server = PictureServer(self._context, address)
        self.address = self._server.address
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, shown: Picture) -> None:
        self._shown[shown.slot] = shown

    def close(self) -> None:
        self._ending.set()
        self._thread.join(5)
        self._server.close()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._server.socket.poll(5)
            self._server.receive()
            now = time.monotonic()
            self._server.asks.purge(now)
            for shown in list(self._shown.values()):
                for view, clients in self._server.asks.answerable(shown.slot, shown.number, now).items():
                    self.made.append((shown.number, view))
                    self.sent += len(clients)
                    self._server.send(clients, shown)


@contextmanager
def studio(address: str = "tcp://127.0.0.1:*") -> Iterator[Studio]:
    running = Studio(address)
    try:
        yield running
    finally:
        running.close()
