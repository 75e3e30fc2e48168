"""The bodies of requests to cam_server's interfaces, within limits."""

from __future__ import annotations

import enum
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request
from starlette.exceptions import HTTPException

MIB = 1 << 20


class Body(enum.Enum):
    """What a request carries."""

    NONE = "nothing"
    JSON = "JSON"
    DATA = "the content of a file"


LIMITS = {Body.JSON: 512 * MIB, Body.DATA: 1024 * MIB}
"""Bytes. An image of 100 MB as a pickle is up to 600 MB: each zero takes six bytes."""

UNDECLARED = 64 * MIB
"""Bytes of a body whose length is not said before it comes."""


async def body_of(request: Request, kind: Body) -> Any:
    """The body: None, JSON decoded, else bytes.

    One that is too long is refused (`HTTPException`, 413): where its length is declared before any of it is
    kept, else after `UNDECLARED` bytes. The server receives and forgets what still comes of it.
    """
    if kind is Body.NONE:
        return None
    declared = request.headers.get("content-length")
    limit = LIMITS[kind] if declared else min(LIMITS[kind], UNDECLARED)
    if int(declared or 0) > limit:
        raise _too_long(kind, limit)
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > limit:
            raise _too_long(kind, limit)
        body += part
    return bytes(body) if kind is Body.DATA else _decoded(body)


def _too_long(kind: Body, limit: int) -> HTTPException:
    reason = f"the body has more than {limit} bytes"
    if limit < LIMITS[kind]:
        reason += f": one of up to {LIMITS[kind]} is taken with its length in Content-Length"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)


def _decoded(body: bytearray) -> Any:
    try:
        return msgspec.json.decode(body) if body.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
