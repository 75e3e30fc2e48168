"""The pictures of an engine, by address (fills `Pictures`)."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable

import msgspec
import zmq

from repstream.link.mailbox import Mailbox
from repstream.pictures import wire
from repstream.pictures.following import Following, guarded
from repstream.pictures.picture import Picture, View
from repstream.pictures.protocol import Callback
from repstream.sockets.security import of_client

log = logging.getLogger(__name__)

TURN = 250
"""Milliseconds after which is looked, at the latest, whether an ask has to be said again."""


class _Wish(msgspec.Struct, frozen=True):
    slot: int
    view: View | None
    after: int


class _Wanted(msgspec.Struct):
    number: int
    callbacks: list[Callback]
    sent: float = 0.0


class Once:
    """One picture that was asked for; closing gives up, and is harmless when it has come."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close


class RemotePictures:
    """Pictures from the process that serves `address`, which need not be there yet; `close` after use.

    Equal wishes are asked for once. It goes on by itself when the process was started again, at the same
    address or, with `move`, at another one.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._security = of_client()
        self._lock = threading.Lock()
        self._wanted: dict[_Wish, _Wanted] = {}
        self._numbers = itertools.count(1)
        self._outgoing: Mailbox[wire.ToPictures | None] = Mailbox()  # None only wakes
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask for nothing more; no callback comes after this. Not to be called from a callback."""
        with self._lock:
            if self._ending.is_set():
                return
            self._ending.set()
            self._outgoing.put(None)
        self._thread.join()
        self._outgoing.close()

    def move(self, address: str) -> None:
        """Ask at this address from now on, also for what was asked for and has not come."""
        if address != self.address:
            self.address = address
            with self._lock:
                self._tell(None)

    def latest(self, slot: int, view: View | None = None, timeout: float = 2.0) -> Picture | None:
        came = threading.Event()
        found: list[Picture] = []

        def take(picture: Picture) -> None:
            found.append(picture)
            came.set()

        wish = self.next(slot, take, view)
        came.wait(timeout)
        wish.close()
        return found[0] if found else None

    def next(self, slot: int, callback: Callback, view: View | None = None, after: int = 0) -> Once:
        wish = _Wish(slot, view, after)
        with self._lock:
            wanted = self._wanted.get(wish)
            if wanted is None:
                wanted = self._wanted[wish] = _Wanted(next(self._numbers), [])
            wanted.callbacks.append(callback)
            self._tell(None)
        return Once(lambda: self._give_up(wish, wanted, callback))

    def subscribe(self, slot: int, callback: Callback, view: View | None = None) -> Following:
        return Following(self, slot, callback, view)

    def _give_up(self, wish: _Wish, wanted: _Wanted, callback: Callback) -> None:
        with self._lock:
            if callback in wanted.callbacks:
                wanted.callbacks.remove(callback)
            if wanted.callbacks or self._wanted.get(wish) is not wanted:
                return
            del self._wanted[wish]
            self._tell(wire.Forget(wanted.number))

    def _tell(self, message: wire.ToPictures | None) -> None:
        if not self._ending.is_set():
            self._outgoing.put(message)

    # --- the thread that asks, receives and calls back ----------------------------------------

    def _run(self) -> None:
        with zmq.Context() as context:
            while not self._ending.is_set():
                self._ask_at(self.address, context)

    def _ask_at(self, address: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Ask there until the pictures move, or nobody wants any more."""
        with self._lock:
            for wanted in self._wanted.values():
                wanted.sent = 0.0
        with context.socket(zmq.DEALER) as socket:
            self._security.apply(context, socket)
            socket.linger = 0
            socket.immediate = True  # what cannot be sent now is said again later, not kept
            socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 5000
            socket.connect(address)
            poller = zmq.Poller()
            poller.register(socket, zmq.POLLIN)
            poller.register(self._outgoing.fileno(), zmq.POLLIN)
            while self.address == address and not self._ending.is_set():
                poller.poll(TURN)
                for message in self._outgoing.take():
                    if message is not None:
                        _send(socket, message)
                self._renew(socket, time.monotonic())
                self._receive(socket)

    def _renew(self, socket: zmq.Socket[bytes], now: float) -> None:
        with self._lock:
            due = [(w, it) for w, it in self._wanted.items() if now - it.sent >= wire.RENEW]
        for wish, wanted in due:
            if _send(socket, wire.Ask(wanted.number, wish.slot, wish.view, wish.after)):
                wanted.sent = now

    def _receive(self, socket: zmq.Socket[bytes]) -> None:
        while not self._ending.is_set():
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                number, picture = wire.unpack(parts)
            except (msgspec.MsgspecError, ValueError):
                log.warning("%s sent something that is no picture", self.address)
                continue
            for callback in self._takers(number):
                guarded(callback, picture)

    def _takers(self, number: int) -> list[Callback]:
        with self._lock:
            wish = next((w for w, it in self._wanted.items() if it.number == number), None)
            return self._wanted.pop(wish).callbacks if wish is not None else []


def _send(socket: zmq.Socket[bytes], message: wire.ToPictures) -> bool:
    try:
        socket.send(wire.encode(message), zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
