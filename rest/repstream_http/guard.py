"""Who may read and who may change: optional tokens, read-only mode, the cookie of the page.

A program sends ``Authorization: Bearer <token>``, or the token as the password of basic authentication, which
clients of replaced systems can do by their URL: ``http://anybody:<token>@host:5000``. A page cannot do so
for WebSockets and images: it logs in once and gets a cookie that is derived from the token, no script can
read, and no other site's page can send. Sources: RFC 6750 section 2.1, RFC 7617, RFC 6265 section 4.1.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from repstream_http import refusal
from repstream_http.limits import Refusing, Tries, address_of, too_many
from repstream_http.origin import HARMLESS
from repstream_http.tokens import Right, Token, TokenFile, digest_of

COOKIE = "repstream"
COOKIE_AGE = 30 * 24 * 3600
"""Seconds that a browser stays logged in."""
LEAST_LENGTH = 8
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OPEN_PATHS = frozenset({"/", "/health", "/api/v1/access", "/api/v1/login", "/api/v1/logout"})
OPEN_FOLDER = "/page/"
"""What anybody may ask for: whether the server lives, the page without any value in it, and the login."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request has shown: what it may do, whose token that is, and a wrong token's digest."""

    right: Right
    name: str = ""
    digest: str = ""
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one server.

    Without tokens everybody may read and change. `change_token` guards changes; `read_token` guards
    reading too and wants a `change_token` beside it. With a `file` of tokens, everything needs one, but for
    reading where `open_reading`. `read_only`: nobody changes anything here.
    Raises `ValueError` for tokens that protect less than they seem to.
    """

    read_token: str = field(default="", repr=False)
    change_token: str = field(default="", repr=False)
    read_only: bool = False
    file: TokenFile | None = None
    open_reading: bool = False

    def __post_init__(self) -> None:
        if self.read_token and not (self.change_token or self.read_only or self.file):
            raise ValueError(
                "a token for reading alone leaves changes open; give one for changing, or read-only"
            )
        if self.read_token and self.read_token == self.change_token:
            raise ValueError("the tokens for reading and for changing must differ")
        if self.open_reading and (self.file is None or self.read_token):
            raise ValueError("open reading is for tokens from a file, and without a token for reading")
        for token in filter(None, (self.read_token, self.change_token)):
            if len(token) < LEAST_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
                raise ValueError(f"a token must be {LEAST_LENGTH} or more ASCII characters without blanks")

    @property
    def has_tokens(self) -> bool:
        """Whether a token could open anything."""
        return bool(self.file or self.change_token or self.read_token)

    @property
    def everybody(self) -> Right:
        """What is allowed without any token."""
        if self.read_token or (self.file and not self.open_reading):
            return Right.NOTHING
        return Right.READ if self.has_tokens or self.read_only else Right.CHANGE

    def shown_by(self, token: str) -> Shown:
        """What this token allows; what everybody may do where it is none of ours."""
        digest = digest_of(token)
        # All are compared, so that the time says nothing about which one was like it.
        own = [each for each in self._tokens() if hmac.compare_digest(digest, each.digest)]
        if not own:
            return Shown(self.everybody, digest=digest, is_wrong=self.has_tokens)
        return Shown(self._allowed(own[0]), own[0].name, digest)

    def cookie(self, token: str) -> str:
        """The value of the cookie that stands for a token, from which nobody gets the token back."""
        return _cookie(digest_of(token))

    def shown(self, headers: Headers) -> Shown:
        """What a request with these headers shows: a token, a password that is one, or the page's cookie."""
        if token := _token_of(headers):
            return self.shown_by(token)
        cookie = _cookie_of(headers)
        own = [each for each in self._tokens() if hmac.compare_digest(_cookie(each.digest), cookie)]
        return Shown(self._allowed(own[0]), own[0].name) if own else Shown(self.everybody)

    def why_not(self, wanted: Right, right: Right) -> str:
        """The reason that a refused request gets."""
        if wanted is Right.CHANGE and self.read_only:
            return "this server is read-only; change it in Tango, EPICS or at another server"
        if wanted is Right.CHANGE and right is Right.READ:
            return "only those who have the token for changes may do this; log in with it"
        return "a token is needed: log in, or send Authorization: Bearer <token>"

    def _allowed(self, token: Token) -> Right:
        return max(self.everybody, min(token.right, Right.READ) if self.read_only else token.right)

    def _tokens(self) -> Iterator[Token]:
        if self.change_token:
            yield Token("", "change", digest_of(self.change_token))
        if self.read_token:
            yield Token("", "read", digest_of(self.read_token))
        if self.file is not None:
            yield from self.file.good()


def open_to_all(host: str, guard: Guard) -> str:
    """A warning where everybody on the network may change everything; empty where that is not so."""
    if guard.everybody is not Right.CHANGE or host in LOOPBACK:
        return ""
    return f"everybody who reaches {host} may change everything over HTTP; a token for changes guards it"


Wanted = Callable[[Scope], Right]


def by_method(scope: Scope) -> Right:
    """The right that a request needs: a WebSocket and what has no effect, that to read."""
    return Right.READ if scope["type"] == "websocket" or scope["method"] in HARMLESS else Right.CHANGE


class Guarded:
    """ASGI middleware: refuses what the guard does not allow, before anything is read or done.

    `wanted` says what a request needs, `is_open` which paths are for everybody. With `basic`, browsers ask
    for a token by themselves, as the password of basic authentication.
    """

    def __init__(
        self,
        app: ASGIApp,
        guard: Guard,
        *,
        tries: Tries,
        refusing: Refusing = refusal.answer,
        wanted: Wanted = by_method,
        is_open: Callable[[str], bool] = lambda path: False,
        basic: bool = False,
    ) -> None:
        self._app = app
        self._guard = guard
        self._tries = tries
        self._refusing = refusing
        self._wanted = wanted
        self._is_open = is_open
        self._basic = basic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self._is_open(scope["path"]):
            return await self._app(scope, receive, send)
        shown = self._guard.shown(Headers(scope=scope))
        wanted = self._wanted(scope)
        if shown.digest and (wait := self._tries.wait(address_of(scope), shown.digest, not shown.is_wrong)):
            return await self._refuse(
                too_many(self._refusing, scope["path"], wait, "wrong tokens"), scope, receive, send
            )
        if shown.right >= wanted:
            scope["token"] = shown.name
            return await self._app(scope, receive, self._remembering(shown, scope, send))
        reason = self._guard.why_not(wanted, shown.right)
        token_helps = not (self._guard.read_only and wanted is Right.CHANGE)
        status = HTTPStatus.UNAUTHORIZED if token_helps else HTTPStatus.FORBIDDEN
        answer = self._refusing(status, scope["path"], reason)
        if token_helps:
            answer.headers["www-authenticate"] = 'Basic realm="repstream"' if self._basic else "Bearer"
        return await self._refuse(answer, scope, receive, send)

    async def _refuse(self, answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            reason = "a token is needed, or was wrong too often"
            return await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return await answer(scope, receive, send)

    def _remembering(self, shown: Shown, scope: Scope, send: Send) -> Send:
        """`send` that gives a page the cookie of its token, with which it opens WebSockets."""
        if not (self._basic and shown.digest and scope["type"] == "http" and scope["path"] == "/"):
            return send

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie_header(shown.digest, scope))
            await send(message)

        return with_cookie


def cookie_header(digest: str, scope: Scope) -> str:
    """The cookie of a token for this browser: no script reads it, no other site sends it."""
    secure = "; Secure" if scope["scheme"] in ("https", "wss") else ""
    return f"{COOKIE}={_cookie(digest)}; Max-Age={COOKIE_AGE}; Path=/; HttpOnly; SameSite=Strict{secure}"


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


def _cookie(digest: str) -> str:
    return hmac.new(digest.encode(), b"repstream page", hashlib.sha256).hexdigest()


def _token_of(headers: Headers) -> str:
    """The token that a program shows, as such or as the password of basic authentication."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(shown, validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:  # binascii.Error is one
        return ""


def _cookie_of(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
