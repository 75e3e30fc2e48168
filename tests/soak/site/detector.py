"""A detector that keeps an account of all that it has sent, well and badly."""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import zmq

from repstream.messages import array_1_0
from repstream.sources.images import Images
from repstream.sources.simulation import MALFORMATIONS, Pace, Parts

TURN = 50
"""Milliseconds between two looks whether to go on, while nobody takes frames."""


@dataclass
class Account:
    """`frames`: messages that are frames, also `repeated` ones; `left_out`: ids that were never sent."""

    frames: int = 0
    repeated: int = 0
    left_out: int = 0
    garbage: int = 0

    def since(self, before: Account) -> Account:
        return Account(
            self.frames - before.frames,
            self.repeated - before.repeated,
            self.left_out - before.left_out,
            self.garbage - before.garbage,
        )


class Detector(threading.Thread):
    """Sends frames of `images` at `rate` Hz from a PUSH socket, which waits for whoever takes them.

    `ids` are those of the frames sent so far, each once, in order.
    """

    def __init__(self, images: Images, rate: float, address: str, dice: random.Random) -> None:
        super().__init__(name="detector", daemon=True)
        self.images, self.ids, self.account = images, list[int](), Account()
        self._rate, self._address, self._dice = rate, address, dice
        self._orders: deque[str] = deque()
        self._going, self._waits, self._ending = threading.Event(), threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._going.set()

    def order(self, what: str, number: int) -> None:
        """Do this with each of the next frames: ``garbage`` before it, ``repeat`` it or ``leave_out``."""
        self._orders.extend([what] * number)

    def snapshot(self) -> Account:
        with self._lock:
            return replace(self.account)

    def pause(self) -> Account:
        """Send nothing more until `resume`; what was sent so far."""
        self._waits.clear()
        self._going.clear()
        assert self._waits.wait(30), "the detector goes on"
        return self.snapshot()

    def resume(self) -> None:
        self._going.set()

    def close(self) -> None:
        self._ending.set()
        self._going.set()
        self.join(10)

    def run(self) -> None:
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.linger, socket.sndhwm = 0, 100
            socket.bind(self._address)
            frame_id, pace = 0, Pace(self._rate)
            while not self._ending.is_set():
                if not self._going.is_set():
                    self._waits.set()
                    self._going.wait()
                    continue
                pace.wait(self._ending)
                order = self._orders[0] if self._orders else ""
                if self._step(socket, frame_id, order):
                    if order:
                        self._orders.popleft()
                    frame_id += order != "garbage"

    def _step(self, socket: zmq.Socket[bytes], frame_id: int, order: str) -> bool:
        """Send one message, or leave it out; whether that was done before a pause."""
        if order == "leave_out":
            self._book(left_out=1)
            return True
        image = self.images(frame_id)
        parts: Parts = [array_1_0.gigafrost_header(frame_id, image.shape, image.dtype.name), image.data]
        if order == "garbage":
            return self._send(socket, self._spoilt(parts), garbage=1)
        if not self._send(socket, parts, frame_id, frames=1):
            return False
        if order == "repeat":
            self._send(socket, parts, frames=1, repeated=1)
        return True

    def _spoilt(self, parts: Parts) -> Parts:
        ways = (*MALFORMATIONS, lambda _: [self._dice.randbytes(self._dice.randint(0, 2000))])
        return self._dice.choice(ways)(parts)

    def _send(self, socket: zmq.Socket[bytes], parts: Any, frame_id: int | None = None, **done: int) -> bool:
        while self._going.is_set() and not self._ending.is_set():
            if socket.poll(TURN, zmq.POLLOUT):
                socket.send_multipart(parts, zmq.NOBLOCK, copy=True)
                self._book(frame_id, **done)
                return True
        return False

    def _book(self, frame_id: int | None = None, **done: int) -> None:
        with self._lock:
            if frame_id is not None:
                self.ids.append(frame_id)
            for name, number in done.items():
                setattr(self.account, name, getattr(self.account, name) + number)
