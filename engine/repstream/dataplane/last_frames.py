"""The last frame of each stream that pictures are made of, for who has missed it.

A stream leaves frames out: by its policy, for a consumer that is slow, or while that is not connected yet.
The next frame makes good for that, but after the last one of a run none comes. So whoever shows a stream
asks here once it is quiet: with its name and the number of the last frame that was got here. The answer is
the name, the new number, and the parts of the frame; none comes where there is nothing new.
"""

from __future__ import annotations

import time
import uuid

import zmq

from repstream.messages.frame import Frame
from repstream.sources.ring_image import settled


class LastFrame:
    """The last frame of one stream. `number` rises with each, beyond a restart of the process too.

    It is handed out from `due` on (monotonic seconds).
    """

    __slots__ = ("due", "frame", "number")

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.number = time.time_ns()
        self.due = 0.0

    def note(self, frame: Frame, due: float = 0.0) -> None:
        """Keep this one instead."""
        self.frame, self.due = frame, due
        self.number += 1


class LastFrames:
    """By the names of the streams. Used from one thread.

    `socket` is there, and has an `address`, once a stream is kept; until then this costs nothing.
    """

    def __init__(self) -> None:
        self.address = ""
        self.socket: zmq.Socket[bytes] | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._kept: dict[str, LastFrame] = {}

    def of(self, name: str) -> LastFrame:
        """Where the last frame of a stream is kept from now on."""
        if self.socket is None:
            self._open()
        return self._kept.setdefault(name, LastFrame())

    def clear(self) -> None:
        """Let go of all frames: what comes next is something else."""
        for last in self._kept.values():
            last.frame = None

    def answer(self) -> None:
        """Answer all who ask."""
        while self.socket is not None:
            try:
                client, *ask = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(ask) == 2:
                self._answer(self.socket, client, *ask)

    def close(self) -> None:
        """Answer no more."""
        self._kept.clear()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = self.socket = None

    def _open(self) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.linger = 0
        # A name that nobody else has, in the abstract namespace: there is no file to be left behind.
        self.socket.bind(f"ipc://@repstream-{uuid.uuid4().hex}")
        self.address = self.socket.get_string(zmq.LAST_ENDPOINT)

    def _answer(self, socket: zmq.Socket[bytes], client: bytes, name: bytes, known: bytes) -> None:
        last = self._kept.get(name.decode(errors="replace"))
        if last is None or last.frame is None or known == b"%d" % last.number:
            return
        if time.monotonic() < last.due:
            return
        frame = settled(last.frame)
        if frame is None:
            return
        try:
            socket.send_multipart([client, name, b"%d" % last.number, *frame.parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return  # who does not read asks again
