from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from repstream import mflow

# Where the recorded messages are loaded (`vectors`).
sys.path.append(str(Path(__file__).parents[1] / "messages"))

PATIENCE = 10_000
"""Most ms that a test waits for a message; no result depends on it."""


class Streams:
    """Streams of either library that end with the test."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    def bound(self, library: Any, mode: int, **options: Any) -> tuple[Any, str]:
        """A stream at a free port, and its address."""
        stream = self._keep(library.connect("tcp://127.0.0.1:*", conn_type="bind", mode=mode, **options))
        return stream, stream.socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")

    def connected(self, library: Any, address: str, mode: int, **options: Any) -> Any:
        return self._keep(library.connect(address, mode=mode, **{"receive_timeout": PATIENCE, **options}))

    def pair(self, sender: Any = mflow, receiver: Any = mflow, **options: Any) -> tuple[Any, Any]:
        """A PUSH stream and the PULL stream that is connected to it; options are the receiver's."""
        push, address = self.bound(sender, zmq.PUSH)
        return push, self.connected(receiver, address, zmq.PULL, **options)

    def _keep(self, stream: Any) -> Any:
        self._open.append(stream)
        return stream

    def close(self) -> None:
        for stream in self._open:
            if not stream.socket.closed:
                stream.socket.linger = 0
                stream.disconnect()


@pytest.fixture
def streams() -> Iterator[Streams]:
    made = Streams()
    yield made
    made.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        end = PATIENCE // 10
        while not condition():
            end -= 1
            assert end, "waited in vain"
            time.sleep(0.01)

    return wait
