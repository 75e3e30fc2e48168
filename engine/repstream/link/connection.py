"""The connection to an engine's address: one socket, in a thread of its own, opened anew after silence."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import msgspec
import zmq

from repstream.link import wire
from repstream.link.mailbox import Mailbox
from repstream.sockets.security import KEY_VARIABLE, SERVER_VARIABLE, Security
from repstream.sockets.zmtp import peer_at

log = logging.getLogger(__name__)

LOOK_TIME = 0.5
"""Seconds, at most, for a look at who does not answer."""

ENCRYPTED = "a socket with security CURVE"


class Connection:
    """Says `hello` to the engine at `address`, and whenever the engine has to begin at its beginning again.

    From its thread it calls `take` with each message, which says False where one was missed and everything is
    wanted again, and `silent` with the time (HH:MM:SS) since when nothing came, and a hint or nothing.
    """

    def __init__(
        self,
        address: str,
        security: Security,
        hello: bytes,
        *,
        take: Callable[[wire.FromEngine], bool],
        silent: Callable[[str, str], None],
    ) -> None:
        self._address = address
        self._security = security
        self._hello = hello
        self._take = take
        self._silent = silent
        self._outgoing: Mailbox[bytes | None] = Mailbox()
        self._thread = threading.Thread(target=self._run, name=f"remote engine {address}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, message: bytes) -> None:
        """Have a message sent; one for an engine that is not there is lost."""
        self._outgoing.put(message)

    def close(self) -> None:
        """Say goodbye and close the socket; what is sent afterwards is lost."""
        self._outgoing.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        socket = self._joined(context)
        heard = time.monotonic()
        ping_due = 0.0
        poller = zmq.Poller()
        poller.register(self._outgoing.fileno(), zmq.POLLIN)
        poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(int(wire.PING_EVERY * 500)))
            now = time.monotonic()
            for message in self._outgoing.take():
                if message is None:
                    _send(socket, wire.encode(wire.Bye()))
                    socket.close(200)
                    self._outgoing.close()
                    return
                _send(socket, message)
            if socket in ready:
                heard = now
                if not self._receive(socket):
                    _send(socket, self._hello)
            if now - heard > wire.SILENCE:
                # A fresh socket: what was queued for an engine that is gone must not reach the next one.
                self._silent(time.strftime("%H:%M:%S"), self._why_silent())
                poller.unregister(socket)
                socket.close(0)
                socket = self._joined(context)
                poller.register(socket, zmq.POLLIN)
                heard = now
            if now >= ping_due:
                ping_due = now + wire.PING_EVERY
                _send(socket, wire.encode(wire.Ping()))

    def _joined(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        socket = context.socket(zmq.DEALER)
        self._security.apply(context, socket)
        socket.linger = 0
        socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 1000
        socket.connect(self._address)
        _send(socket, self._hello)
        return socket

    def _receive(self, socket: zmq.Socket[bytes]) -> bool:
        """Take all there is; False where an event was missed and a new snapshot is wanted."""
        complete = True
        while True:
            try:
                data = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return complete
            try:
                complete = self._take(wire.decode_message.decode(data)) and complete
            except msgspec.MsgspecError as error:  # whatever it was may be missing now
                log.error("a message of the engine at %s was not understood: %s", self._address, error)
                complete = False

    def _why_silent(self) -> str:
        """A hint where the other end is there, and the keys are what it lacks."""
        if self._security.encrypts:
            return " (does it know our CURVE key, and is its key the one that we have of it?)"
        if peer_at(self._address, LOOK_TIME) == ENCRYPTED:
            return (
                f" (it is encrypted: {SERVER_VARIABLE} names its public key, "
                f"{KEY_VARIABLE} our own; repstream keys)"
            )
        return ""


def _send(socket: zmq.Socket[bytes], message: bytes) -> None:
    try:
        socket.send(message, zmq.NOBLOCK)
    except zmq.Again:  # nobody there to take it; the missing answer shows it
        pass
