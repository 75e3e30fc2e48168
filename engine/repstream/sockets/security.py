"""What encrypts a socket: read once from the keys that its settings name, applied whenever it is opened."""

from __future__ import annotations

import logging
import os
import time
from typing import Protocol, runtime_checkable

import zmq

from repstream.errors import Refused
from repstream.sockets.gate import Allows, Context, gate_of
from repstream.sockets.keys import Keys, Pair

log = logging.getLogger(__name__)

ANYBODY = "*"
SAID_AGAIN = 60.0
"""Seconds from one line to the next in the log about those who are refused, who try again and again."""
KEY_VARIABLE, SERVER_VARIABLE = "REPSTREAM_CURVE_KEY", "REPSTREAM_CURVE_SERVER"
"""Of a client of an engine: the names of its own key pair and of the engine's public key."""
OWN_VARIABLE, CLIENTS_VARIABLE = "REPSTREAM_SERVE_CURVE_KEY", "REPSTREAM_SERVE_CURVE_CLIENTS"
"""Of an engine: the names of its own key pair and of its clients' public keys."""


@runtime_checkable
class Guarded(Protocol):
    """What has a socket that refuses whoever has no key or a wrong one."""

    @property
    def denied(self) -> int:
        """How many times somebody was refused."""


class Denials:
    """Says in the log that a socket refuses somebody, now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = 0
        self._due = 0.0

    def note(self, denied: int) -> None:
        """Take how many were refused so far."""
        now = time.monotonic()
        if denied <= self._said or now < self._due:
            return
        more, self._said, self._due = denied - self._said, denied, now + SAID_AGAIN
        log.warning("%s refused somebody without a key, or with a wrong one, %d times", self._what, more)


class Security(Protocol):
    """Encrypts a socket before it binds or connects; `encrypts` says whether it does."""

    encrypts: bool

    def apply(self, context: Context, socket: zmq.Socket[bytes]) -> None:
        """Set the socket's options."""


class Open:
    """No encryption: everybody who reaches the socket may connect."""

    encrypts = False

    def apply(self, context: Context, socket: zmq.Socket[bytes]) -> None:
        """Nothing to be set."""


class Server:
    """The side that has the key by which others know it: that which binds.

    `clients`: names of the public keys that may connect, separated by commas; ``*``: everybody who knows
    ours. The names are looked up whenever somebody connects, so a key that was removed opens nothing more.
    Raises `Refused` for `subject` where a key is missing.
    """

    encrypts = True

    def __init__(self, key: str, clients: str, subject: str) -> None:
        keys = Keys(subject=f"{subject}.curve_key")
        self._pair = keys.pair(key)
        self._allows = _allowing(clients, self._pair, subject)

    def apply(self, context: Context, socket: zmq.Socket[bytes]) -> None:
        socket.curve_publickey, socket.curve_secretkey = self._pair.public, self._pair.secret
        socket.curve_server = True
        socket.zap_domain = gate_of(context).admit(self._allows)


class Client:
    """The side that connects: with a key of its own, to a server whose public key it knows."""

    encrypts = True

    def __init__(self, own: Pair, server: bytes) -> None:
        self._own = own
        self._server = server

    def apply(self, context: Context, socket: zmq.Socket[bytes]) -> None:
        socket.curve_publickey, socket.curve_secretkey = self._own.public, self._own.secret
        socket.curve_serverkey = self._server


def security(key: str, peers: str, subject: str, *, binds: bool) -> Security:
    """What the settings `curve_key` and `curve_peers` of `subject` mean for a socket that binds or connects.

    Without a key it is not encrypted. Raises `Refused`: never is it open where encryption was asked for.
    """
    if not key:
        return Open()
    if not peers:
        wanted = (
            "who may connect: names of public keys, or *" if binds else "the name of the other side's key"
        )
        raise Refused(f"{subject}.curve_peers", f"is empty; with curve_key it must be {wanted}")
    if binds:
        return Server(key, peers, subject)
    if ANYBODY in peers or "," in peers:
        raise Refused(
            f"{subject}.curve_peers", f"{peers} is not one key; it connects, so name the other side's"
        )
    own = Keys(subject=f"{subject}.curve_key").pair(key)
    return Client(own, Keys(subject=f"{subject}.curve_peers").public(peers))


def inside(key: str) -> Security:
    """For the engine's own processes: whoever has a server's key pair may be its client."""
    if not key:
        return Open()
    own = Keys().pair(key)
    return Client(own, own.public)


def of_server() -> Security:
    """What the environment asks for the engine's own addresses."""
    own, clients = os.environ.get(OWN_VARIABLE, ""), os.environ.get(CLIENTS_VARIABLE, "")
    return security(own, clients, "engine", binds=True)


def of_client() -> Security:
    """What the environment has for clients of an engine's addresses."""
    server = os.environ.get(SERVER_VARIABLE, "")
    if not server:
        return Open()
    own = os.environ.get(KEY_VARIABLE, "")
    if not own:
        raise Refused("client.curve_key", f"is missing: {KEY_VARIABLE} must name a key pair of yours")
    return security(own, server, "client", binds=False)


def _allowing(clients: str, own: Pair, subject: str) -> Allows:
    if clients.strip() == ANYBODY:
        return lambda key: True
    names = [name.strip() for name in clients.split(",")]
    keys = Keys(subject=f"{subject}.curve_peers")
    for name in names:
        keys.public(name)

    def allows(key: bytes) -> bool:
        return key == own.public or any(key == _known(keys, name) for name in names)

    return allows


def _known(keys: Keys, name: str) -> bytes | None:
    try:
        return keys.public(name)
    except Refused:  # removed since: whoever has it stays outside
        return None
