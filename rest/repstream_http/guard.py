"""Who may read and who may change: optional tokens, read-only mode, the cookie of the page.

A program sends ``Authorization: Bearer <token>``. A page cannot do so for WebSockets and images: it
logs in once and gets a cookie that is derived from the token, no script can read, and no other site's
page can send. Sources: RFC 6750 section 2.1, RFC 6265 section 4.1.2.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from repstream_http import refusal
from repstream_http.origin import HARMLESS

COOKIE = "repstream"
COOKIE_AGE = 30 * 24 * 3600
"""Seconds that a browser stays logged in."""
LEAST_LENGTH = 8
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OPEN_PATHS = frozenset({"/", "/health", "/api/v1/access", "/api/v1/login", "/api/v1/logout"})
OPEN_FOLDER = "/page/"
"""What anybody may ask for: whether the server lives, the page without any value in it, and the login."""


class Right(enum.IntEnum):
    """What a request may do, the greater including the lesser."""

    NOTHING = 0
    READ = 1
    CHANGE = 2


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one server.

    Without tokens everybody may read and change. `change_token` guards changes; `read_token` guards
    reading too and wants a `change_token` beside it. `read_only`: nobody changes anything here.
    Raises `ValueError` for tokens that protect less than they seem to.
    """

    read_token: str = ""
    change_token: str = ""
    read_only: bool = False

    def __post_init__(self) -> None:
        if self.read_token and not (self.change_token or self.read_only):
            raise ValueError(
                "a token for reading alone leaves changes open; give one for changing, or read-only"
            )
        if self.read_token and self.read_token == self.change_token:
            raise ValueError("the tokens for reading and for changing must differ")
        for token in filter(None, (self.read_token, self.change_token)):
            if len(token) < LEAST_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
                raise ValueError(f"a token must be {LEAST_LENGTH} or more ASCII characters without blanks")

    @property
    def everybody(self) -> Right:
        """What is allowed without any token."""
        if self.read_token:
            return Right.NOTHING
        return Right.READ if self.change_token or self.read_only else Right.CHANGE

    def of_token(self, token: str) -> Right:
        """What this token allows; what everybody may do where it is none of ours."""
        for right, own in ((Right.CHANGE, self.change_token), (Right.READ, self.read_token)):
            if own and hmac.compare_digest(token.encode(), own.encode()):
                return min(right, Right.READ) if self.read_only else right
        return self.everybody

    def knows(self, token: str) -> bool:
        """Whether this is one of the tokens."""
        return any(hmac.compare_digest(token.encode(), t.encode()) for t in self._tokens())

    def cookie(self, token: str) -> str:
        """The value of the cookie that stands for a token, from which nobody gets the token back."""
        return hmac.new(token.encode(), b"repstream page", hashlib.sha256).hexdigest()

    def right_of(self, headers: Headers) -> Right:
        """What a request with these headers may do."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.of_token(token.strip())
        shown = _cookie_of(headers)
        own = next((t for t in self._tokens() if hmac.compare_digest(self.cookie(t), shown)), "")
        return self.of_token(own) if own else self.everybody

    def why_not(self, wanted: Right, right: Right) -> str:
        """The reason that a refused request gets."""
        if wanted is Right.CHANGE and self.read_only:
            return "this server is read-only; change it in Tango, EPICS or at another server"
        if wanted is Right.CHANGE and right is Right.READ:
            return "only those who have the token for changes may do this; log in with it"
        return "a token is needed: log in, or send Authorization: Bearer <token>"

    def _tokens(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.change_token, self.read_token)))


def open_to_all(host: str, guard: Guard) -> str:
    """A warning where everybody on the network may change everything; empty where that is not so."""
    if guard.everybody is not Right.CHANGE or host in LOOPBACK:
        return ""
    return f"everybody who reaches {host} may change everything over HTTP; a token for changes guards it"


class Guarded:
    """ASGI middleware: refuses what the guard does not allow, before anything is read or done."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_open(scope["path"]):
            return await self._app(scope, receive, send)
        wanted = Right.READ if scope["type"] == "websocket" or scope["method"] in HARMLESS else Right.CHANGE
        right = self._guard.right_of(Headers(scope=scope))
        if right >= wanted:
            return await self._app(scope, receive, send)
        reason = self._guard.why_not(wanted, right)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008, "reason": reason})
        token_helps = not (self._guard.read_only and wanted is Right.CHANGE)
        status = HTTPStatus.UNAUTHORIZED if token_helps else HTTPStatus.FORBIDDEN
        answer = refusal.answer(status, scope["path"], reason)
        if token_helps:
            answer.headers["www-authenticate"] = "Bearer"
        return await answer(scope, receive, send)


SECURE = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers of every answer. Scripts and styles come from this server's files only, none inline."""


class SecureHeaders:
    """ASGI middleware: the headers of `SECURE` on every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message.get("headers", ())}
                own = ((n.encode(), v.encode()) for n, v in SECURE.items() if n.encode() not in given)
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def is_open(path: str) -> bool:
    """Whether anybody may ask for this path."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _cookie_of(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
