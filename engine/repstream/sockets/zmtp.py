"""Who answers at an address: the first bytes of a ZMQ peer, read without becoming its consumer.

Of a failed handshake libzmq's events do not say what socket the peer has. ZMTP does: each side sends
a greeting, then a command READY with its socket type, without waiting for the other's
(https://rfc.zeromq.org/spec/23, revision 1 of older peers: https://rfc.zeromq.org/spec/15). Whoever
sends only the greeting learns the type, and gets no message.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = _SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)

_VERSION_END = 12
"""Bytes of the greeting up to the version, after which a peer says its mechanism."""

_READY = b"\x05READY"
_COMMAND, _LONG = 4, 2
_TYPES = ("PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM")
"""By the numbers of the older revisions."""

_MOST = 4096
"""Bytes after which a peer has said all that matters."""


def peer_at(address: str, timeout: float = 1.0) -> str:
    """What a ZMQ address is answered by, such as ``"a PUB"``; empty where nobody answers in time.

    Takes up to `timeout` seconds, and longer where a name has to be looked up.
    """
    try:
        end = time.monotonic() + timeout
        with _connect(address, timeout) as peer:
            peer.sendall(GREETING[:_VERSION_END])
            data = _read(peer, b"", lambda data: bool(mechanism(data)), end)
            if mechanism(data) == "NULL":
                # Said only now: one with another mechanism would hang up before it has said its own.
                peer.sendall(GREETING[_VERSION_END:])
                data = _read(peer, data, lambda data: False, end)
            return _described(data)
    except (OSError, ValueError):
        return ""


def _connect(address: str, timeout: float) -> socket.socket:
    scheme, _, place = address.partition("://")
    if scheme == "ipc":
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(timeout)
        try:
            peer.connect("\0" + place[1:] if place.startswith("@") else place)
        except OSError:
            peer.close()
            raise
        return peer
    if scheme != "tcp":
        raise ValueError(f"{address}: neither tcp nor ipc")
    host, _, port = place.rpartition(";")[2].rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout)


def _read(peer: socket.socket, data: bytes, is_enough: Callable[[bytes], bool], end: float) -> bytes:
    """Read on until the peer has said what it is, or enough."""
    while len(data) < _MOST and socket_type(data) is None and not is_enough(data):
        if (left := end - time.monotonic()) <= 0:
            break
        peer.settimeout(left)
        try:
            more = peer.recv(_MOST)
        except (TimeoutError, ConnectionResetError):
            break
        if not more:
            break
        data += more
    return data


def _described(data: bytes) -> str:
    kind = socket_type(data)
    if kind:
        return f"an {kind}" if kind.startswith("X") else f"a {kind}"
    if not data:
        return "something that says nothing"
    if not _is_greeting(data):
        return "something that is no ZMQ socket"
    if (security := mechanism(data)) not in {"", "NULL"}:
        return f"a socket with security {security}"
    return "a ZMQ socket that does not introduce itself"


def socket_type(data: bytes) -> str | None:
    """The socket type in what a peer has sent so far; None while it has not said it."""
    if not _is_greeting(data):
        return None
    if len(data) > 11 and data[10] in {1, 2}:
        return _TYPES[data[11]] if data[11] < len(_TYPES) else None
    body = _first_command(data[len(GREETING) :])
    if not body.startswith(_READY):
        return None
    return _properties(body[len(_READY) :]).get(b"socket-type", b"").decode("ascii", "replace") or None


def mechanism(data: bytes) -> str:
    """The security mechanism in a greeting; empty where that is not complete."""
    return data[12:32].rstrip(b"\0").decode("ascii", "replace") if len(data) >= 32 else ""


def _is_greeting(data: bytes) -> bool:
    return len(data) >= 10 and data[0] == 0xFF and data[9] & 1 == 1


def _first_command(data: bytes) -> bytes:
    if len(data) < 2 or not data[0] & _COMMAND:
        return b""
    start = 9 if data[0] & _LONG else 2
    size = int.from_bytes(data[1:start], "big")
    return data[start : start + size] if len(data) >= start + size else b""


def _properties(data: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while data:
        name = data[1 : 1 + data[0]]
        rest = data[1 + data[0] :]
        size = int.from_bytes(rest[:4], "big")
        found[name.lower()] = rest[4 : 4 + size]
        data = rest[4 + size :]
    return found
