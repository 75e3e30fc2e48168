"""What a request carries beside its path: the engine it means, its JSON body, and who asks."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Request
from fastapi.requests import HTTPConnection

from repstream.protocol import Engine, Requester
from repstream_http.projection import View

BODY_LIMIT = 1 << 20
"""Bytes of a request's body; a whole configuration has a few thousand."""
USER_LENGTH = 64


def engine_of(connection: HTTPConnection) -> tuple[str, Engine]:
    """The engine that the path names, the first where it names none."""
    engines: dict[str, Engine] = connection.app.state.engines
    name = connection.path_params.get("engine") or next(iter(engines))
    if name not in engines:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no engine {name!r}, only {', '.join(engines)}")
    return name, engines[name]


def view(connection: HTTPConnection) -> View:
    """That engine at this moment."""
    return View(*engine_of(connection))


async def json_body(request: Request) -> Any:
    """The body as JSON whatever the Content-Type says, so that plain ``curl -d`` works; None if empty."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {BODY_LIMIT} bytes")
    try:
        return msgspec.json.decode(bytes(body)) if body.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error


async def json_object(body: Annotated[Any, Depends(json_body)]) -> dict[str, Any]:
    """The body as a JSON object; empty for an empty body."""
    if body is None:
        return {}
    if not isinstance(body, dict):
        text = f"the body must be a JSON object, not {body!r:.80}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, text)
    return body


async def requester(request: HTTPConnection) -> Requester:
    """Who asks, and the peer: ``X-Requested-By``, else the name of the token, else of basic authentication.

    Only the second is verified.
    """
    authorization = request.headers.get("authorization", "")
    user = (
        request.headers.get("x-requested-by") or request.scope.get("token", "") or _basic_user(authorization)
    )
    named = "".join(c for c in user if c.isprintable())[:USER_LENGTH].strip()
    return Requester("http", named, request.client.host if request.client else "")


def _basic_user(authorization: str) -> str:
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded, validate=True).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


async def filled_object(body: Annotated[dict[str, Any], Depends(json_object)]) -> dict[str, Any]:
    """The body as a JSON object with something in it: an empty one is a mistake of the one who sent it."""
    if not body:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "the body must be a JSON object with what is to change; it is empty",
        )
    return body


ViewNow = Annotated[View, Depends(view)]
Body = Annotated[dict[str, Any], Depends(json_object)]
FilledBody = Annotated[dict[str, Any], Depends(filled_object)]
Asker = Annotated[Requester, Depends(requester)]
