"""How fast a client may ask: a bucket for each address, which fills at a rate; each request takes one out."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from repstream_http import refusal
from repstream_http.origin import HARMLESS

LOCAL = frozenset({"127.0.0.1", "::1", "", "localhost"})
"""Clients on this host are not slowed: who may run programs here has other ways to keep it busy."""
BURST = 3.0
"""Seconds' worth of requests that may come at once."""
MOST_ADDRESSES = 10_000
"""Addresses that are remembered; the one that has asked longest ago is forgotten first."""
MOST_SOCKETS = 100
"""WebSockets that one address may have open."""
WRONG_TOKENS, WRONG_PER_SECOND = 10, 0.2
"""Wrong tokens that an address may give at once, and one more every five seconds."""

Refusing = Callable[[int, str, str], Response]
"""Makes the answer of a refusal: its status, the path, the reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a second of one address: those that only read, and those that may change something; 0: any."""

    reads: float = 1000.0
    changes: float = 100.0


class Buckets:
    """A bucket for each address: `depth` at once, then `rate` a second."""

    def __init__(self, rate: float, depth: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._depth = max(depth, 1.0)
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until there is one to take; 0: now."""
        return max(0.0, (1.0 - self._level(address)) / self._rate)

    def take(self, address: str) -> float:
        """Take one; where there is none, the seconds until there is one again, and nothing is taken."""
        level = self._level(address)
        if level < 1.0:
            return (1.0 - level) / self._rate
        self._levels[address] = level - 1.0, self._clock()
        self._levels.move_to_end(address)
        if len(self._levels) > MOST_ADDRESSES:
            self._levels.popitem(last=False)
        return 0.0

    def _level(self, address: str) -> float:
        level, at = self._levels.get(address, (self._depth, 0.0))
        return min(self._depth, level + (self._clock() - at) * self._rate)


class Tries:
    """Who may try a token: an address that gave many wrong ones waits, but for one that was right there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._wrong = Buckets(WRONG_PER_SECOND, WRONG_TOKENS, clock)
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, address: str, digest: str, is_right: bool) -> float:
        """Seconds until this token is looked at; 0: it may be said now whether it is right."""
        known = (address, digest)
        if is_right and known in self._right:
            return 0.0
        if (wait := self._wrong.wait(address)) > 0:
            return wait
        if not is_right:
            return self._wrong.take(address)
        self._right[known] = None
        if len(self._right) > MOST_ADDRESSES:
            self._right.popitem(last=False)
        return 0.0


class Limited:
    """ASGI middleware: answers 429 to an address that asks faster than it may, and reads nothing."""

    def __init__(self, app: ASGIApp, limits: Limits, refusing: Refusing = refusal.answer) -> None:
        self._app = app
        self._refusing = refusing
        self._reads = Buckets(limits.reads, limits.reads * BURST) if limits.reads else None
        self._changes = Buckets(limits.changes, limits.changes * BURST) if limits.changes else None
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope)
        if scope["type"] not in ("http", "websocket") or address in LOCAL:
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await self._socket(address, scope, receive, send)
        buckets = self._reads if scope["method"] in HARMLESS else self._changes
        if buckets is not None and (wait := buckets.take(address)) > 0:
            return await too_many(self._refusing, scope["path"], wait)(scope, receive, send)
        return await self._app(scope, receive, send)

    async def _socket(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        fast = self._reads is not None and self._reads.take(address) > 0
        if fast or self._sockets[address] >= MOST_SOCKETS:
            await receive()
            reason = "too many at once from this address; close some, or ask again later"
            return await send({"type": "websocket.close", "code": 1013, "reason": reason})
        self._sockets[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._sockets[address] -= 1
            if not self._sockets[address]:
                del self._sockets[address]


def address_of(scope: Scope) -> str:
    """The address of a client, that which a proxy on this host says where there is one."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def too_many(refusing: Refusing, path: str, wait: float, what: str = "requests") -> Response:
    """The answer to somebody who has to wait."""
    seconds = max(1, math.ceil(wait))
    answer = refusing(
        HTTPStatus.TOO_MANY_REQUESTS, path, f"too many {what} from this address; ask again in {seconds} s"
    )
    answer.headers["retry-after"] = str(seconds)
    return answer
