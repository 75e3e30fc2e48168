"""What clients have asked for and not yet got: who looks at what. Pure; times are arguments."""

from __future__ import annotations

import msgspec

from repstream.pictures.picture import View
from repstream.pictures.wire import LEASE, Ask, Forget

Address = tuple[bytes, int]
"""Where an answer goes: a client and the number of its ask."""


class _Pending(msgspec.Struct):
    ask: Ask
    heard: float


class Asks:
    """The asks of all clients. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._pending: dict[Address, _Pending] = {}
        self._answered: dict[Address, float] = {}
        self._looked: dict[int, float] = {}

    def take(self, client: bytes, message: Ask | Forget, now: float) -> None:
        """Note an ask, renew it, or forget it."""
        address = (client, message.number)
        if isinstance(message, Forget):
            self._pending.pop(address, None)
        elif address not in self._answered:  # a renewal that crossed its answer asks for nothing
            self._pending[address] = _Pending(message, now)
            self._looked[message.slot] = now

    def answerable(self, slot: int, number: int, now: float) -> dict[View | None, list[Address]]:
        """Who gets picture `number` of a slot, by view; they are taken for answered then."""
        found: dict[View | None, list[Address]] = {}
        for address, pending in list(self._pending.items()):
            ask = pending.ask
            if ask.slot == slot and ask.after != number:
                found.setdefault(ask.view, []).append(address)
                del self._pending[address]
                self._answered[address] = self._looked[slot] = now
        return found

    def looks(self, slot: int, now: float) -> bool:
        """Whether somebody looks at a slot, or did so a moment ago."""
        return now - self._looked.get(slot, now - LEASE) < LEASE

    def purge(self, now: float) -> None:
        """Forget what was not renewed."""
        old = now - LEASE
        self._pending = {a: p for a, p in self._pending.items() if p.heard > old}
        self._answered = {a: t for a, t in self._answered.items() if t > old}
