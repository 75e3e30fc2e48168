"""Keeping web pages from elsewhere from commanding an engine through its user's browser.

A browser sends any page's POST or WebSocket to 127.0.0.1 and says in `Origin` which page it was.
Programs other than browsers send no `Origin`. Source: RFC 6454 section 7.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from repstream_http import refusal

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOriginOnly:
    """ASGI middleware: refuses what another site's page asks for, reading apart."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in HARMLESS):
            headers = Headers(scope=scope)
            origin, host = headers.get("origin"), headers.get("host", "")
            if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
                return await _refuse(origin, host, scope, receive, send)
        return await self._app(scope, receive, send)


async def _refuse(origin: str, host: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1008, "reason": "page of another origin"})
    reason = f"a page of {origin} may not command {host}; a proxy in between must hand on the Host header"
    return await refusal.answer(HTTPStatus.FORBIDDEN, scope["path"], reason)(scope, receive, send)
