"""Why no connection comes about, found out in a thread: names and peers may be slow."""

from __future__ import annotations

import math
import threading
import time

from repstream.sockets.zmtp import peer_at

REMEMBERED = 3.0
"""Seconds for which a peer that does not fit is reported after it was last seen."""

_SENDERS = {"PULL": ("a PUSH",), "SUB": ("a PUB", "an XPUB")}
"""The peers that each mode of the input can receive from."""


class Inquiry:
    """Asks who answers at the address to which an input of this mode connects."""

    def __init__(self, address: str, mode: str) -> None:
        self._address = address
        self._mode = mode
        self._thread: threading.Thread | None = None
        self._answer = ("", -math.inf)

    @property
    def problem(self) -> str:
        """The last finding, empty where nothing was wrong or nobody has asked for some seconds."""
        found, at = self._answer
        return found if time.monotonic() - at < REMEMBERED else ""

    def begin(self) -> None:
        """Ask, unless that is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._ask, name="who answers", daemon=True)
            self._thread.start()

    def _ask(self) -> None:
        peer = peer_at(self._address)
        self._answer = (self._judged(peer) if peer else "", time.monotonic())

    def _judged(self, peer: str) -> str:
        if peer in _SENDERS[self._mode]:
            return ""
        fitting = [mode for mode, senders in _SENDERS.items() if peer in senders]
        hint = f"; mode {fitting[0]} would fit" if fitting else ""
        return f"{peer} answers at {self._address}, this input is {self._mode}{hint}"
