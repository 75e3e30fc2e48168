"""Who may connect: the answers to libzmq's questions about clients (ZAP, https://rfc.zeromq.org/spec/27).

libzmq asks at one place a context, whichever socket a client has come to; the domain of a socket says which
rule is meant.
"""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from collections.abc import Callable

import zmq
from zmq.utils import z85

log = logging.getLogger(__name__)

Context = zmq.Context[zmq.Socket[bytes]]
Allows = Callable[[bytes], bool]
"""Whether the client with this public key (Z85) may connect."""

PLACE = "inproc://zeromq.zap.01"
VERSION = b"1.0"
REQUEST_PARTS = 7
"""Of a client with CURVE: version, number, domain, address, identity, mechanism, key."""


class Gate:
    """Answers for one context, in a thread of its own, until that context ends.

    pyzmq has a thread for this too, which must be stopped before its context may end; a context of the data
    plane ends in the background.
    """

    def __init__(self, context: Context) -> None:
        self._rules: dict[bytes, Allows] = {}
        self._numbers = itertools.count(1)
        # Of a shadow: the thread closes it, and what closes all sockets of a context must not.
        shadow: Context = zmq.Context.shadow(context.underlying)
        self._socket = shadow.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(PLACE)
        threading.Thread(target=self._answer, name="CURVE gate", daemon=True).start()

    def admit(self, allows: Allows) -> bytes:
        """A domain for a socket whose clients are those that are allowed."""
        domain = b"%d" % next(self._numbers)
        self._rules[domain] = allows
        return domain

    def _answer(self) -> None:
        while True:
            try:
                parts = self._socket.recv_multipart()
                number = parts[1] if len(parts) > 1 else b""
                taken = self._is_allowed(parts)
                status, text = (b"200", b"OK") if taken else (b"400", b"no access")
                self._socket.send_multipart([VERSION, number, status, text, b"", b""])
            except zmq.ContextTerminated:
                self._socket.close()
                return

    def _is_allowed(self, parts: list[bytes]) -> bool:
        try:
            if len(parts) != REQUEST_PARTS or parts[0] != VERSION or parts[5] != b"CURVE":
                return False
            return self._rules[parts[2]](z85.encode(parts[6]))
        except Exception:  # whoever cannot be judged stays outside
            log.exception("a client's key could not be checked; the client is refused")
            return False


_gates: weakref.WeakKeyDictionary[Context, Gate] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def gate_of(context: Context) -> Gate:
    """The gate of a context; every context has one at most."""
    with _lock:
        if (gate := _gates.get(context)) is None:
            gate = _gates[context] = Gate(context)
        return gate
