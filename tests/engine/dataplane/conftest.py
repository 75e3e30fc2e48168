from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest
import zmq
from tests.engine.dataplane.bench import PATIENCE, Plane, routing


@pytest.fixture
def plane() -> Iterator[Plane]:
    with routing() as plane:
        yield plane


@pytest.fixture
def address() -> Iterator[Callable[[str], str]]:
    """ipc addresses of this test alone, in a folder whose name is short enough for them."""
    folder = tempfile.mkdtemp(prefix="rs-")
    yield lambda name: f"ipc://{folder}/{name}"
    shutil.rmtree(folder)


Opener = Callable[..., zmq.Socket[bytes]]


@pytest.fixture
def peer(context: zmq.Context[zmq.Socket[bytes]]) -> Opener:
    """Opens a socket that gives up after a while instead of hanging the test."""

    def open_peer(kind: int, *, bind: str = "", connect: str = "", hwm: int = 0) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.set_hwm(hwm)
        # A PULL that is closed with messages unread and its room used up never ends otherwise.
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = round(PATIENCE * 1000)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if bind:
            socket.bind(bind)
        if connect:
            socket.connect(connect)
        return socket

    return open_peer
