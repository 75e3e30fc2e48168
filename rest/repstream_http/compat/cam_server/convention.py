"""cam_server's convention for requests and answers.

Every answer is JSON with `state` ``"ok"`` or ``"error"`` and a text `status`. A request that is refused has
HTTP status 200 all the same: clients look at `state` alone. Other statuses are for paths that do not exist
(404, 405) and bodies that are no JSON (400). Every page of a browser may ask, from wherever it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from repstream.errors import RepstreamError
from repstream_http.compat.cam_server import words
from repstream_http.compat.cam_server.bodies import Body, body_of
from repstream_http.guard import by_method
from repstream_http.protection import Protection
from repstream_http.protection import protect as put_before
from repstream_http.tokens import Right

log = logging.getLogger(__name__)

MOST_AT_ONCE = 256
"""Requests that are worked on at a time; one that waits for an instance holds up no other."""

API = "/api/v1"

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "PUT, GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Origin, Accept, Content-Type, X-Requested-With, X-CSRF-Token",
}

Answer = Mapping[str, Any]


class Asked(msgspec.Struct, frozen=True):
    """One request: the names in its path, its query, and its body (JSON decoded, else bytes)."""

    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None

    def __getitem__(self, name: str) -> str:
        return self.names[name]


class Route(msgspec.Struct, frozen=True):
    """One route, as it is served and as the documentation has it.

    `path` is below the prefix of its server unless it begins with `API`. `fields` are those of the answer
    beside `state` and `status`, `text` says what it does, and is the `status` where it was done.
    """

    method: str
    path: str
    fields: str
    text: str
    work: Callable[[Asked], Answer | Response]
    body: Body = Body.NONE


def create_app(title: str, prefix: str, routes: Iterable[Route]) -> FastAPI:
    """The application that has these routes."""
    app = FastAPI(title=title, openapi_url=None, redirect_slashes=False)
    limiter = CapacityLimiter(MOST_AT_ONCE)
    for route in routes:
        path = route.path if route.path.startswith(API) else prefix + route.path
        for each in (path,) if route.path else (path, path + "/"):
            methods = ["GET", "HEAD"] if route.method == "GET" else [route.method]
            app.add_api_route(each, _serve(route, limiter), methods=methods)
    app.add_exception_handler(HTTPException, _framework)
    app.add_middleware(OpenToPages)
    return app


def protect(app: FastAPI, protection: Protection) -> None:
    """Put the protection before it; where there are tokens it is no longer open to every page."""

    def refusing(status: int, path: str, reason: str) -> JSONResponse:
        return failure(reason, status)

    put_before(app, protection, refusing=refusing, wanted=_wanted)


def _wanted(scope: Scope) -> Right:
    """The right that a request needs; to end the server is a GET here."""
    return Right.CHANGE if scope["path"].rstrip("/") == f"{API}/reset" else by_method(scope)


def failure(reason: str, status: int = HTTPStatus.OK) -> JSONResponse:
    """An error as clients expect it."""
    return JSONResponse({"state": "error", "status": reason}, status_code=status)


class OpenToPages:
    """ASGI middleware: lets pages of every origin in, as cam_server does; answers OPTIONS on every path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(CORS)
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response()(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)


def _serve(route: Route, limiter: CapacityLimiter) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            asked = Asked(request.path_params, request.query_params, await body_of(request, route.body))
            found = await to_thread.run_sync(route.work, asked, limiter=limiter)
        except HTTPException as error:
            return failure(str(error.detail), error.status_code)
        except (RepstreamError, TimeoutError) as error:
            return failure(words.of(error))
        except Exception as error:  # a fault of ours is an error to clients, and the log has the details
            log.exception("%s %s failed", request.method, request.url.path)
            return failure(f"a fault of the server ({type(error).__name__}); its log has the details")
        if isinstance(found, Response):
            return found
        answered = {"state": "ok", "status": route.text, **found}
        return Response(msgspec.json.encode(answered, enc_hook=_plain), media_type="application/json")

    return answer


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = f"{error.detail}: {request.method} {request.url.path:.200}"
    return failure(reason, error.status_code)


def _plain(value: Any) -> Any:
    """A value of a library's own type as JSON has it."""
    return value.item() if hasattr(value, "item") else str(value)
